/* Memory that is short: allocations of the mail role fail now and then, by a seed.
 *
 * For tests, by LD_PRELOAD. STARVE names a file of two numbers of 32 bits, which is mapped: one of so many allocations fails
 * (0: none); and whether those of libraries fail, too, or only those of the program itself. */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static _Atomic uint32_t *orders; /* NULL: another process than the mail role. */
static _Atomic uint64_t sequence;
static uintptr_t program_start, program_end;

/* The first object is the program. */
static int find_program(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size, (void)context;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_LOAD && header->p_flags & PF_X) {
			program_start = info->dlpi_addr + header->p_vaddr;
			program_end = program_start + header->p_memsz;
		}
	}
	return 1;
}

static bool is_mail_role(void)
{
	char words[256];
	const int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	const ssize_t length = file >= 0 ? read(file, words, sizeof words) : 0;

	close(file);
	return length > 0 && memmem(words, (size_t)length, "role\0mail", 10) != NULL;
}

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("STARVE");
	const int file = path && is_mail_role() ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (file < 0)
		return;
	dl_iterate_phdr(find_program, NULL);

	void *map = mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);

	close(file);
	if (map != MAP_FAILED)
		orders = map;
}

static bool fails(uintptr_t caller)
{
	const uint32_t rate = orders ? orders[0] : 0;

	if (rate == 0 || (orders[1] == 0 && (caller < program_start || caller >= program_end)))
		return false;

	uint64_t dice = ++sequence * 0x9e3779b97f4a7c15ull;

	dice ^= dice >> 29;
	dice *= 0xbf58476d1ce4e5b9ull;
	dice ^= dice >> 32;
	if (dice % rate != 0)
		return false;
	errno = ENOMEM;
	return true;
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

void *malloc(size_t size)
{
	return fails(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails(CALLER) ? NULL : __libc_realloc(old, size);
}
