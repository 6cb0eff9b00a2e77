#include "base/error.h"

#include <errno.h>

#include "base/must.h"

static const char *const texts[ERROR_COUNT] = {
#define ERROR(name, text) [ERROR_POSITION_##name] = text,
#include "base/errors.def"
#undef ERROR
};

const char *error_text(enum error error)
{
	if (error == OK)
		return "success";
	must(error < 0 && error >= -ERROR_COUNT);
	return texts[-1 - (int)error];
}

enum error error_from_errno(int number)
{
	must(number != 0);
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case ENOMEM:
	case ENOBUFS:
		return ERR_NO_MEMORY;
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case ECONNREFUSED:
		return ERR_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return ERR_UNREACHABLE;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return ERR_RESET;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECANCELED:
		return ERR_CANCELLED;
	case EBUSY:
	case EAGAIN:
		return ERR_BUSY;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EMFILE:
	case ENFILE:
		return ERR_DESCRIPTORS;
	case EFBIG:
	case E2BIG:
	case EMSGSIZE:
		return ERR_TOO_LARGE;
	default:
		return ERR_IO;
	}
}
