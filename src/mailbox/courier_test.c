/* From the queue's courier through the channel and the role into Maildirs, in one process: the
 * role runs on a thread. */
#include <pthread.h>
#include <sched.h>

#include "base/must.h"
#include "io/channel.h"
#include "mailbox/courier.h"
#include "mailbox/maildir_testing.h"
#include "mailbox/role.h"

enum { RECIPIENT_MAX = 3 };

/* The queue's part: a delivery with its outcomes. */
struct order {
	struct house *house;
	struct message message;
	struct recipient recipients[RECIPIENT_MAX];
	struct route_decision route;
	struct delivery_outcome outcomes[RECIPIENT_MAX];
	struct delivery delivery;
};

struct house {
	char root[64], path_template[128], doubt_path[80];
	struct loop *loop;
	struct spool *spool;
	struct in_doubt *in_doubt;
	struct mailbox_courier *courier;
	struct mailbox_role *role;
	pthread_t thread;
	size_t open_count, done_count;
	bool delivering;
};

static void *run_role(void *context)
{
	mailbox_role_run(context);
	return NULL;
}

static void role_start(struct house *house)
{
	int fds[2];

	assert_int_equal(
	    mailbox_role_new(text_of(house->path_template), TEXT("mail.example.org"), &house->role), OK);
	assert_int_equal(channel_pair(fds), OK);
	assert_true(mailbox_role_add_channel(house->role, fds[1]));
	assert_true(mailbox_courier_set_channel(house->courier, fds[0]));
	assert_int_equal(pthread_create(&house->thread, NULL, run_role, house->role), 0);
}

/* The role ends by itself: its only channel is closed. */
static void role_join(struct house *house)
{
	pthread_join(house->thread, NULL);
	mailbox_role_free(house->role);
	house->role = NULL;
}

static void house_open(struct house *house)
{
	*house = (struct house){ 0 };
	testing_folder_make(house->root);
	snprintf(house->path_template, sizeof house->path_template, "%s/%%d/%%u", house->root);
	house->loop = loop_new();
	assert_non_null(house->loop);
	assert_int_equal(spool_memory_open(&house->spool), OK);
	snprintf(house->doubt_path, sizeof house->doubt_path, "%s/in-doubt", house->root);
	assert_int_equal(in_doubt_open(house->doubt_path, &house->in_doubt), OK);
	house->courier = mailbox_courier_new(&(struct mailbox_world){ house->loop, house->spool, house->in_doubt, 0 });
	assert_non_null(house->courier);
}

static void house_close(struct house *house)
{
	mailbox_courier_free(house->courier);
	if (house->role != NULL)
		role_join(house);
	spool_close(house->spool);
	in_doubt_close(house->in_doubt);
	loop_free(house->loop);
	testing_folder_remove(house->root);
}

/* -- orders ------------------------------------------------------------------- */

static void on_stored(void *context, enum error result)
{
	assert_int_equal(result, OK);
	*(bool *)context = true;
}

static void wake_nobody(void *context)
{
	(void)context;
}

static void store_body(struct house *house, const struct message *message, struct text body)
{
	struct spool_change *change = spool_change_new();
	struct spool_port *port;
	bool stored = false;

	for (uint32_t number = 0; number < message->envelope.chunk_count; number++)
		spool_change_put_chunk(change, message->envelope.id, number,
		    text_part(body, (size_t)number * SPOOL_CHUNK_SIZE, SPOOL_CHUNK_SIZE));
	spool_change_put_message(change, message);
	assert_int_equal(spool_port_open(house->spool, 0, wake_nobody, NULL, &port), OK);
	spool_submit(port, change, on_stored, &stored);
	while (!stored) {
		spool_port_poll(port);
		sched_yield();
	}
	spool_port_close(port);
}

static void on_done(struct delivery *delivery)
{
	struct house *house = ((struct order *)delivery->context)->house;

	must(!house->delivering); /* C1 */
	if (++house->done_count == house->open_count)
		loop_stop(house->loop);
}

static void order_make(struct order *order, struct house *house, queue_id id, struct text body, uint32_t count)
{
	*order = (struct order){ .house = house };
	for (uint32_t i = 0; i < count; i++)
		order->recipients[i] =
		    (struct recipient){ .index = i, .address = { TEXT("alice+list"), TEXT("example.org") } };
	order->message = (struct message){ .recipients = order->recipients, .recipient_count = count };
	order->message.envelope = (struct envelope){ .id = id,
		.arrived_ms = 1,
		.expires_ms = INT64_MAX,
		.reverse_path = { TEXT("bob"), TEXT("example.net") },
		.body_size = body.length,
		.chunk_count = (uint32_t)((body.length + SPOOL_CHUNK_SIZE - 1) / SPOOL_CHUNK_SIZE) };
	store_body(house, &order->message, body);
	order->route = (struct route_decision){ .kind = ROUTE_MAILBOX,
		.user = TEXT("alice"),
		.domain = TEXT("example.org"),
		.detail = TEXT("list") };
	order->delivery = (struct delivery){ .message = &order->message,
		.route = &order->route,
		.arena = arena_new(64 << 10),
		.outcomes = order->outcomes,
		.done = on_done,
		.context = order };
}

static void order_place(struct order *order)
{
	const struct courier face = mailbox_courier_face(order->house->courier);

	order->house->open_count++;
	order->house->delivering = true;
	face.deliver(face.context, &order->delivery);
	order->house->delivering = false;
}

static void order_done(struct order *order)
{
	arena_free(order->delivery.arena);
}

/* -- tests -------------------------------------------------------------------- */

static void every_recipient_gets_a_copy(void **state)
{
	static char body[3 * SPOOL_CHUNK_SIZE + 100], got[sizeof body + 512];
	struct house house;
	struct order order;
	char path[128];

	(void)state;
	memset(body, 'x', sizeof body);
	memcpy(body + SPOOL_CHUNK_SIZE - 1, "\r\n", 2); /* Across two chunks. */
	house_open(&house);
	role_start(&house);
	order_make(&order, &house, 1, (struct text){ body, sizeof body }, 3);
	order_place(&order);
	loop_run(house.loop);
	snprintf(path, sizeof path, "%s/example.org/alice", house.root);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(order.outcomes[i].verdict.code, 250);
		assert_int_equal(order.outcomes[i].verdict.enhanced.class, 2);
		assert_true(text_equal(order.outcomes[i].verdict.host, text_of(path)));
	}
	assert_int_equal(testing_file_count(path, "new"), 3);
	assert_int_equal(testing_file_count(path, "tmp"), 0);
	order_done(&order);

	order_make(&order, &house, 2, (struct text){ body, sizeof body }, 1);
	order.route.user = TEXT("carol");
	order_place(&order);
	loop_run(house.loop);
	snprintf(path, sizeof path, "%s/example.org/carol", house.root);
	const size_t length = testing_read_only_file(path, "new", got, sizeof got);
	const struct text head = TEXT("Return-Path: <bob@example.net>\nDelivered-To: alice+list@example.org\n");

	assert_true(text_starts((struct text){ got, length }, head));
	assert_int_equal(length, head.length + sizeof body - 1);
	assert_int_equal(got[head.length + SPOOL_CHUNK_SIZE - 1], '\n');
	order_done(&order);
	house_close(&house);
}

/* C6: what a crash would find before the queue has settled. */
static void who_was_asked_for_is_in_doubt(void **state)
{
	struct house house;
	struct order order;
	bool seen[RECIPIENT_MAX] = { false };
	uint32_t index = 0;
	queue_id id = 0;

	(void)state;
	house_open(&house);
	role_start(&house);
	order_make(&order, &house, 5, TEXT("x\r\n"), RECIPIENT_MAX);
	order_place(&order);
	loop_run(house.loop);
	in_doubt_close(house.in_doubt);
	assert_int_equal(in_doubt_open(house.doubt_path, &house.in_doubt), OK);
	for (int i = 0; i < RECIPIENT_MAX; i++) {
		assert_true(in_doubt_take_left(house.in_doubt, &id, &index));
		assert_true(id == 5 && index < RECIPIENT_MAX && !seen[index]);
		seen[index] = true;
	}
	assert_false(in_doubt_take_left(house.in_doubt, &id, &index));
	order_done(&order);
	house_close(&house);
}

static void hundreds_at_once(void **state)
{
	enum { COUNT = 700 };
	struct house house;
	struct order *orders = calloc(COUNT, sizeof *orders);
	char path[128];

	(void)state;
	house_open(&house);
	role_start(&house);
	for (int i = 0; i < COUNT; i++) {
		order_make(&orders[i], &house, (queue_id)i + 1, TEXT("Subject: x\r\n\r\nhello\r\n"), 1);
		order_place(&orders[i]);
	}
	loop_run(house.loop);
	assert_int_equal(house.done_count, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(orders[i].outcomes[0].verdict.code, 250);
		order_done(&orders[i]);
	}
	snprintf(path, sizeof path, "%s/example.org/alice", house.root);
	assert_int_equal(testing_file_count(path, "new"), COUNT);
	free(orders);
	house_close(&house);
}

static void nobody_escapes_the_template(void **state)
{
	struct house house;
	struct order order;

	(void)state;
	house_open(&house);
	role_start(&house);
	order_make(&order, &house, 1, TEXT("x\r\n"), 1);
	order.route.user = TEXT("../../etc");
	order_place(&order);
	loop_run(house.loop);
	assert_int_equal(order.outcomes[0].verdict.code, 550);
	assert_int_equal(order.outcomes[0].verdict.enhanced.detail, 3);
	assert_int_equal(order.outcomes[0].verdict.host.length, 0);
	order_done(&order);
	house_close(&house);
}

static void an_unreadable_body_is_tried_later(void **state)
{
	struct house house;
	struct order order;

	(void)state;
	house_open(&house);
	role_start(&house);
	order_make(&order, &house, 1, TEXT("x\r\n"), 2);
	order.message.envelope.chunk_count++;
	order_place(&order);
	loop_run(house.loop);
	assert_int_equal(order.outcomes[0].verdict.code, 451);
	assert_int_equal(order.outcomes[1].verdict.code, 451);
	assert_false(order.outcomes[0].pressure);
	order_done(&order);
	house_close(&house);
}

/* C5: without a role; with one that dies before it answers; and with the next one. */
static void a_dead_role_means_later(void **state)
{
	struct house house;
	struct order orders[3];
	int fds[2];

	(void)state;
	house_open(&house);
	for (size_t i = 0; i < 3; i++)
		order_make(&orders[i], &house, i + 1, TEXT("x\r\n"), 2);
	order_place(&orders[0]);
	loop_run(house.loop);
	assert_int_equal(orders[0].outcomes[0].verdict.code, 451);
	assert_true(orders[0].outcomes[1].pressure);

	assert_int_equal(channel_pair(fds), OK);
	assert_true(mailbox_courier_set_channel(house.courier, fds[0]));
	order_place(&orders[1]);
	close(fds[1]); /* With the requests unread. */
	loop_run(house.loop);
	assert_int_equal(orders[1].outcomes[0].verdict.code, 451);
	assert_int_equal(orders[1].outcomes[1].verdict.code, 451);

	role_start(&house);
	order_place(&orders[2]);
	loop_run(house.loop);
	assert_int_equal(orders[2].outcomes[0].verdict.code, 250);
	for (int i = 0; i < 3; i++)
		order_done(&orders[i]);
	house_close(&house);
}

/* A stranger to the protocol loses its channel; the others do not notice. */
static void nonsense_ends_only_its_channel(void **state)
{
	struct house house;
	struct order order;
	struct channel_message message;
	int fds[2];

	(void)state;
	house_open(&house);
	assert_int_equal(channel_pair(fds), OK);
	assert_int_equal(channel_send_wait(fds[0], TEXT("nonsense"), &fds[0], 1), OK);
	assert_int_equal(
	    mailbox_role_new(text_of(house.path_template), TEXT("mail.example.org"), &house.role), OK);
	assert_true(mailbox_role_add_channel(house.role, fds[1]));
	mailbox_role_run(house.role); /* Ends with its only channel. */
	assert_int_equal(channel_receive_wait(fds[0], &message), ERR_CLOSED);
	close(fds[0]);
	mailbox_role_free(house.role);

	role_start(&house);
	order_make(&order, &house, 1, TEXT("x\r\n"), 1);
	order_place(&order);
	loop_run(house.loop);
	assert_int_equal(order.outcomes[0].verdict.code, 250);
	order_done(&order);
	house_close(&house);
}

struct watching {
	struct mailbox_role *role;
	int fd;
	int calls;
};

static void on_note(void *context)
{
	struct watching *watching = context;
	struct channel_message message;

	watching->calls++;
	if (channel_receive_now(watching->fd, &message) != OK) {
		mailbox_role_stop(watching->role);
		return;
	}
	channel_message_close(&message);
}

static void a_watched_descriptor_stops_the_role(void **state)
{
	struct watching watching = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(mailbox_role_new(TEXT("/nowhere/%u"), TEXT("host"), &watching.role), OK);
	assert_int_equal(mailbox_role_set_path(watching.role, TEXT("%u")), ERR_SYNTAX);
	assert_int_equal(channel_pair(fds), OK);
	watching.fd = fds[1];
	mailbox_role_watch(watching.role, fds[1], on_note, &watching);
	assert_int_equal(channel_send_wait(fds[0], TEXT("reload"), NULL, 0), OK);
	close(fds[0]);
	mailbox_role_run(watching.role);
	assert_int_equal(watching.calls, 2);
	close(fds[1]);
	mailbox_role_free(watching.role);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recipient_gets_a_copy),
		cmocka_unit_test(who_was_asked_for_is_in_doubt),
		cmocka_unit_test(hundreds_at_once),
		cmocka_unit_test(nobody_escapes_the_template),
		cmocka_unit_test(an_unreadable_body_is_tried_later),
		cmocka_unit_test(a_dead_role_means_later),
		cmocka_unit_test(nonsense_ends_only_its_channel),
		cmocka_unit_test(a_watched_descriptor_stops_the_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
