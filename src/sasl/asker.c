#include "sasl/asker.h"

#include <stdlib.h>
#include <utlist.h>
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "io/channel.h"
#include "sasl/message.h"

struct sasl_dialogue {
	UT_hash_handle hh;
	struct sasl_dialogue *next, *prev; /* In asker->stranded. */
	struct sasl_asker *asker;
	uint64_t number;
	sasl_answered *answered;
	void *context;
	bool waits;                        /* For an answer. */
	bool stranded;                     /* Its question reached nobody. */
	bool over;
};

struct sasl_asker {
	struct loop *loop;
	struct channel *channel;           /* NULL: none. */
	struct loop_timer *timer;          /* Answers the stranded (K1). */
	struct sasl_dialogue *dialogues;   /* Hash. */
	struct sasl_dialogue *stranded;    /* List. */
	uint64_t last_number;
	unsigned mechanisms;
};

/* -- Answers ---------------------------------------------------------------------------- */

static void tell(struct sasl_dialogue *dialogue, const struct sasl_answer *answer)
{
	dialogue->waits = false;
	dialogue->over = answer->result != SASL_CONTINUE;
	dialogue->answered(dialogue->context, answer);
}

static void strand(struct sasl_dialogue *dialogue)
{
	struct sasl_asker *asker = dialogue->asker;

	must(dialogue->waits && !dialogue->stranded);
	dialogue->stranded = true;
	DL_APPEND(asker->stranded, dialogue);
	loop_timer_set(asker->timer, 0);
}

static void answer_stranded(void *context)
{
	struct sasl_asker *asker = context;
	const struct sasl_answer answer = { .result = SASL_TROUBLE, .reason = TEXT("the auth role is away") };

	while (asker->stranded != NULL) {
		struct sasl_dialogue *dialogue = asker->stranded;

		DL_DELETE(asker->stranded, dialogue);
		dialogue->stranded = false;
		tell(dialogue, &answer);
	}
}

static void lose_channel(struct sasl_asker *asker)
{
	struct sasl_dialogue *dialogue, *next;

	channel_free(take(asker->channel));
	HASH_ITER(hh, asker->dialogues, dialogue, next)
		if (dialogue->waits && !dialogue->stranded)
			strand(dialogue);
}

static void message_came(void *context, struct text bytes, const int *fds, size_t fd_count)
{
	struct sasl_asker *asker = context;
	struct sasl_dialogue *dialogue;
	struct sasl_answer answer;

	(void)fds;
	if (fd_count > 0 || sasl_answer_decode(bytes, &answer) != OK) {
		lose_channel(asker);
		return;
	}
	if (answer.number == 0) {
		if (answer.result != SASL_TROUBLE || asker->mechanisms == 0)
			asker->mechanisms = answer.mechanisms;
		return;
	}
	HASH_FIND(hh, asker->dialogues, &answer.number, sizeof answer.number, dialogue);
	if (dialogue != NULL && dialogue->waits && !dialogue->stranded)
		tell(dialogue, &answer);
}

static void no_matter(void *context)
{
	(void)context;
}

static void channel_ended(void *context, enum error reason)
{
	(void)reason;
	lose_channel(context);
}

static const struct channel_handler handler = { message_came, no_matter, channel_ended };

/* -- Questions ---------------------------------------------------------------------------- */

static void send_request(struct sasl_dialogue *dialogue, const struct sasl_request *request)
{
	struct sasl_asker *asker = dialogue->asker;
	char room[SASL_MESSAGE_MAX];
	const size_t length = sasl_request_encode(request, room);

	dialogue->waits = true;
	if (asker->channel == NULL || !channel_send(asker->channel, (struct text){ room, length }, NULL, 0))
		strand(dialogue);
	explicit_bzero(room, length);
}

struct sasl_dialogue *sasl_dialogue_begin(struct sasl_asker *asker, const struct sasl_facts *facts, struct text response,
    sasl_answered *answered, void *context)
{
	struct sasl_dialogue *dialogue = calloc(1, sizeof *dialogue);

	if (dialogue == NULL)
		return NULL;
	*dialogue = (struct sasl_dialogue){
		.asker = asker, .number = ++asker->last_number, .answered = answered, .context = context
	};
	HASH_ADD(hh, asker->dialogues, number, sizeof dialogue->number, dialogue);
	if (dialogue->hh.tbl == NULL) {
		free(dialogue);
		return NULL;
	}
	const struct sasl_request request = { .kind = SASL_BEGIN,
		.number = dialogue->number,
		.mechanism = facts->mechanism,
		.binding = facts->binding,
		.client = facts->client,
		.response = response };

	send_request(dialogue, &request);
	return dialogue;
}

void sasl_dialogue_step(struct sasl_dialogue *dialogue, struct text response)
{
	const struct sasl_request request = { .kind = SASL_STEP, .number = dialogue->number, .response = response };

	must(!dialogue->waits && !dialogue->over);
	send_request(dialogue, &request);
}

void sasl_dialogue_free(struct sasl_dialogue *dialogue)
{
	if (dialogue == NULL)
		return;

	struct sasl_asker *asker = dialogue->asker;
	const struct sasl_request request = { .kind = SASL_ABORT, .number = dialogue->number };
	char room[SASL_MESSAGE_MAX];

	/* One that is not heard is bounded by the role (role.h R1). */
	if (!dialogue->over && asker->channel != NULL)
		(void)!channel_send(asker->channel, (struct text){ room, sasl_request_encode(&request, room) }, NULL, 0);
	if (dialogue->stranded)
		DL_DELETE(asker->stranded, dialogue);
	HASH_DELETE(hh, asker->dialogues, dialogue);
	free(dialogue);
}

/* -- Life ------------------------------------------------------------------------------------ */

struct sasl_asker *sasl_asker_new(struct loop *loop)
{
	struct sasl_asker *asker = calloc(1, sizeof *asker);

	if (asker == NULL)
		return NULL;
	asker->loop = loop;
	asker->timer = loop_timer_new(loop, answer_stranded, asker);
	if (asker->timer == NULL) {
		free(asker);
		return NULL;
	}
	return asker;
}

void sasl_asker_free(struct sasl_asker *asker)
{
	if (asker == NULL)
		return;
	must(asker->dialogues == NULL);
	channel_free(asker->channel);
	loop_timer_free(asker->timer);
	free(asker);
}

bool sasl_asker_set_channel(struct sasl_asker *asker, int fd)
{
	lose_channel(asker);
	asker->channel = channel_new(asker->loop, fd, &handler, asker);
	return asker->channel != NULL;
}

unsigned sasl_asker_mechanisms(const struct sasl_asker *asker)
{
	return asker->mechanisms;
}
