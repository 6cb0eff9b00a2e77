/* Seals the message on standard input, for tests that have others verify it:
 *
 *     arc_seal_sample KEY DOMAIN SELECTOR RESULTS SECONDS [NAME RECORD ...] <message >sealed
 *
 * The names and records are what DNS knows of the keys of those before us. Exit code 1: the chain gets no set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/arc_seal.h"
#include "auth/test_facts.h"
#include "base/must.h"

enum { INPUT_MAX = 1 << 20, FACTS_MAX = 64 };

static struct text read_stream(FILE *file, struct arena *arena)
{
	char *room = arena_alloc(arena, INPUT_MAX);

	must(room != NULL && file != NULL);
	return (struct text){ room, fread(room, 1, INPUT_MAX, file) };
}

static bool seal(struct arena *arena, struct text message, const struct dkim_signing *signing, char **words, int count)
{
	const struct dkim_manner manner = { .now_s = strtoll(words[4], NULL, 10) };
	const size_t header_length = text_find(message, TEXT("\r\n\r\n")) + 4;
	struct fact known[FACTS_MAX];
	struct facts facts = { .all = known };
	struct body_hashes *hashes = body_hashes_new();
	struct header_index index;
	struct arc_sealer *sealer;
	struct buffer out;

	for (int i = 5; i + 1 < count && facts.count < FACTS_MAX; i += 2)
		known[facts.count++] = (struct fact){ QUESTION_TXT, words[i], words[i + 1] };
	buffer_init(&out, INPUT_MAX);
	must(header_index_make(text_part(message, 0, header_length), arena, &index) == OK);
	struct arc *arc = arc_new(&index, hashes, manner.now_s, arena);

	must(arc != NULL && arc_sealer_new(arc, &index, hashes, &manner, arena, &sealer) == OK);
	facts_satisfy(&facts, arc, arc);
	body_hashes_add(hashes, text_from(message, header_length));
	body_hashes_end(hashes);
	const enum error error = arc_sealer_seal(sealer, arc_judge(arc, NULL), signing, text_of(words[3]), &out);

	if (error == OK)
		printf("%.*s%.*s", TEXT_FORMAT(buffer_text(&out)), TEXT_FORMAT(message));
	buffer_done(&out);
	body_hashes_free(hashes);
	return error == OK;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new(64 << 20);
	struct private_key *key;

	must(argc >= 6 && arena != NULL);
	FILE *file = fopen(argv[1], "re");

	must(private_key_read(read_stream(file, arena), &key) == OK);
	fclose(file);
	const struct dkim_signing signing = { key, text_of(argv[2]), text_of(argv[3]) };
	const bool sealed = seal(arena, read_stream(stdin, arena), &signing, argv + 1, argc - 1);

	private_key_free(key);
	arena_free(arena);
	return sealed ? 0 : 1;
}
