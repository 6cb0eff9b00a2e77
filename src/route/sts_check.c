#include "route/sts_check.h"

#include "base/must.h"

/* K2 */
static bool may_fetch(const struct sts_check *check)
{
	const struct sts_memory *memory = &check->memory;

	if (memory->failure_count == 0)
		return true;
	return check->now_ms - memory->failed_ms >=
	    (text_equal(memory->failed_id, check->id) ? sts_memory_retry_ms(memory) : STS_RETRY_OTHER_MS);
}

/* -- The machine -------------------------------------------------------------------------------- */

static void done(struct sts_check *check)
{
	struct sts_memory *memory = &check->memory;

	check->question = STS_ASK_NOTHING;
	check->wanted = check->id.length > 0 && memory->failure_count > 0 && !sts_memory_holds(memory, check->now_ms);
	if (check->purpose == STS_FOR_MAIL && check->now_ms - memory->used_ms >= STS_USED_MS &&
	    (memory->fetched_ms > 0 || memory->failure_count > 0)) {
		memory->used_ms = check->now_ms;
		check->remember = true;
	}
}

void sts_check_begin(struct sts_check *check, const struct sts_memory *memory, enum sts_purpose purpose, int64_t now_ms,
    struct arena *arena)
{
	*check = (struct sts_check){ .arena = arena, .purpose = purpose, .now_ms = now_ms, .question = STS_ASK_RECORD };
	if (memory != NULL && sts_memory_is_believed(memory, now_ms))
		check->memory = *memory;
	if (check->memory.used_ms > now_ms)
		check->memory.used_ms = now_ms;
}

static struct text keep(struct sts_check *check, struct text text)
{
	struct text copy;

	return arena_copy(check->arena, text, &copy) ? copy : TEXT_EMPTY;
}

/* Of a library, which may quote a stranger. */
static struct text keep_words(struct sts_check *check, struct text words)
{
	char room[STS_TROUBLE_MAX];

	words = text_part(words, 0, sizeof room);
	for (size_t i = 0; i < words.length; i++)
		room[i] = words.bytes[i] >= ' ' && words.bytes[i] <= '~' ? words.bytes[i] : '?';
	return keep(check, (struct text){ room, words.length });
}

static void failed(struct sts_check *check, enum sts_failure failure, struct text trouble)
{
	struct sts_memory *memory = &check->memory;

	/* A domain that asks for nothing may stop to tell so (RFC 8461 §3.3). */
	const bool matters = !sts_memory_holds(memory, check->now_ms) || memory->policy.mode != STS_NONE;

	if (memory->failure_count == 0 && matters)
		check->news = STS_FAILED;
	memory->failure_count += memory->failure_count < UINT32_MAX;
	memory->failed_ms = check->now_ms;
	memory->failed_id = check->id;
	memory->failure = failure;
	memory->trouble = keep_words(check, trouble);
	check->remember = true;
	done(check);
}

/* Without a record nothing is fetched. A policy that we have goes on, but it is not renewed, which is to be told. */
static void without_record(struct sts_check *check, const char *why)
{
	if (check->purpose == STS_FOR_REFRESH) {
		failed(check, STS_FETCH_ERROR, text_of(why));
		return;
	}
	done(check);
}

void sts_check_no_record(struct sts_check *check)
{
	must(check->question == STS_ASK_RECORD);
	without_record(check, "its record cannot be looked up");
}

void sts_check_record(struct sts_check *check, const struct text *records, size_t count)
{
	struct sts_memory *memory = &check->memory;
	struct text id;

	must(check->question == STS_ASK_RECORD);
	if (sts_record_choose(records, count, &id) != OK) {
		without_record(check, "it has no record any more");
		check->forget = !sts_memory_holds(memory, check->now_ms);
		return;
	}
	check->id = keep(check, id);
	const bool known = sts_memory_holds(memory, check->now_ms) && text_equal(memory->id, check->id);

	if ((known && check->purpose == STS_FOR_MAIL) || !may_fetch(check))
		done(check);
	else
		check->question = STS_ASK_POLICY;
}

/* -- The policy ------------------------------------------------------------------------------------ */

static void take_policy(struct sts_check *check, const struct sts_policy *policy)
{
	const bool had = sts_memory_holds(&check->memory, check->now_ms);

	if (!had)
		check->news = STS_FETCHED;
	else if (!sts_policy_equal(policy, &check->memory.policy))
		check->news = STS_CHANGED;
	check->memory = (struct sts_memory){
		.fetched_ms = check->now_ms, .policy = *policy, .id = check->id, .used_ms = check->memory.used_ms
	};
	check->remember = true;
	done(check);
}

/* "text/plain", with or without parameters (RFC 8461 §3.2). */
static bool is_plain_text(struct text type)
{
	return text_equal_nocase(text_trim(text_part(type, 0, text_find_byte(type, ';'))), TEXT("text/plain"));
}

static void judge_page(struct sts_check *check, const struct https_response *response)
{
	struct sts_policy policy;
	struct text trouble = TEXT("out of memory");
	const char *why = "";

	if (response->status != 200) {
		(void)!arena_print(check->arena, &trouble, "the web server answers %u", response->status);
		failed(check, STS_FETCH_ERROR, trouble);
	} else if (!is_plain_text(response->content_type)) {
		failed(check, STS_POLICY_INVALID, TEXT("the policy is not text/plain"));
	} else {
		switch (sts_policy_parse(response->content, check->arena, &policy, &why)) {
		case OK:
			take_policy(check, &policy);
			break;
		case ERR_SYNTAX:
			failed(check, STS_POLICY_INVALID, text_of(why));
			break;
		default:
			failed(check, STS_FETCH_ERROR, trouble);
		}
	}
}

void sts_check_policy(struct sts_check *check, const struct https_response *response)
{
	must(check->question == STS_ASK_POLICY);
	switch (response->end) {
	case HTTPS_ANSWERED:
		judge_page(check, response);
		break;
	case HTTPS_UNTRUSTED:
		failed(check, STS_WEBPKI_INVALID, response->trouble);
		break;
	case HTTPS_UNREACHABLE:
		failed(check, STS_FETCH_ERROR, response->trouble);
		break;
	case HTTPS_TOO_LARGE:
		failed(check, STS_POLICY_INVALID, TEXT("the policy is too large"));
		break;
	}
}

const struct sts_policy *sts_check_result(const struct sts_check *check)
{
	must(check->question == STS_ASK_NOTHING);
	return sts_memory_holds(&check->memory, check->now_ms) ? &check->memory.policy : NULL;
}
