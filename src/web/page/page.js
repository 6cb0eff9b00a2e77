/* The page: asks the server for its numbers every few seconds and draws them. */

const EVERY_MS = 2000, WAITS_EVERY = 3, KEPT = 300;
const samples = [];
let rounds = 0, asking = false, shown = null, only = null;

/* -- Rates ------------------------------------------------------------------------------ */

const series = [
	{ key: "in", words: "In", of: c => c["received"] },
	{ key: "out", words: "Out", of: c => c["delivered"] - c["delivered-here"] },
	{ key: "local", words: "Into mailboxes", of: c => c["delivered-here"] },
	{ key: "defer", words: "Deferred", of: c => c["deferred"] },
];
const turnedAway = c => c["rejected"] + c["limited"];

/* A minute's worth of what `of` counts, at each sample. A counter that went back is that of a server started anew. */
function rates(of) {
	const made = [];

	for (let i = 1; i < samples.length; i++) {
		const from = Math.max(0, i - 5), grown = of(samples[i].counters) - of(samples[from].counters);
		const minutes = (samples[i].time - samples[from].time) / 60000;

		made.push(grown < 0 || minutes <= 0 ? 0 : grown / minutes);
	}
	return made;
}

/* The value that `share` of the observations since the page was opened stay below, or since the start if there were none. */
function quantile(name, share) {
	const last = samples.at(-1).times?.[name], first = samples[0].times?.[name];

	if (!last)
		return null;
	const since = last.counts.map((count, i) => count - (first?.counts[i] ?? 0));
	const counts = since.some(count => count > 0) && since.every(count => count >= 0) ? since : last.counts;
	const all = counts.reduce((sum, count) => sum + count, 0);
	let passed = 0;

	for (let i = 0; i < counts.length; i++) {
		if (counts[i] > 0 && passed + counts[i] >= all * share) {
			const low = i > 0 ? last.bounds[i - 1] : 0, high = last.bounds[i] ?? low * 2;

			return low + (high - low) * (all * share - passed) / counts[i];
		}
		passed += counts[i];
	}
	return null;
}

/* -- Drawing ------------------------------------------------------------------------------ */

/* Samples across the picture: those of the last two minutes at first, and more as they come. */
const across = () => Math.min(KEPT, Math.max(60, samples.length));

function path(values, width, height, most, room = 2) {
	const step = values.length > 1 ? width / (across() - 1) : 0, begin = width - step * (values.length - 1);

	return values.map((value, i) => `${i ? "L" : "M"}${(begin + i * step).toFixed(1)} ${(height - room - value / most * (height - 2 * room)).toFixed(1)}`).join("");
}

function spark(values, kind) {
	const kept = values.slice(-60), most = Math.max(1, ...kept), width = 120, height = 34;
	const step = kept.length > 1 ? width / (Math.max(20, kept.length) - 1) : 0, begin = width - step * (kept.length - 1);
	const d = kept.map((value, i) => `${i ? "L" : "M"}${(begin + i * step).toFixed(1)} ${(height - 2 - value / most * (height - 6)).toFixed(1)}`).join("");
	const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });

	if (kept.length > 1)
		svg.append(make("path", { class: `area f-${kind}`, d: `${d}L${width} ${height}L${begin.toFixed(1)} ${height}Z` }), make("path", { class: `line c-${kind}`, d }));
	return svg;
}

function tile(words, value, unit, more, values, kind) {
	return make("div", { class: "tile", title: kind === "in" ? "Time from a message's end to its 250" : kind === "local" ? "Time in the queue, of all deliveries" : null }, make("div", { class: "what" }, words),
		make("div", { class: "value num" }, value, unit ? make("small", {}, unit) : null), make("div", { class: "more num" }, more), spark(values, kind));
}

/* Four steps, each a number that is easily read. */
function nice(value) {
	const power = 10 ** Math.floor(Math.log10(value / 4));

	return [1, 2, 5, 10].map(step => 4 * step * power).find(most => most >= value);
}

function drawTraffic() {
	const width = Math.max(300, $("traffic").clientWidth), height = 190, left = 40, bottom = 22;
	const lines = series.map(one => ({ ...one, values: rates(one.of) }));
	const most = nice(Math.max(4, ...lines.flatMap(line => line.values)));
	const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Messages a minute over the last minutes" });
	const seconds = across() * EVERY_MS / 1000, marks = width < 600 ? 2 : 4;

	for (let i = 0; i <= 4; i++) {
		const y = 8 + (height - bottom - 8) * i / 4;

		svg.append(make("line", { class: "grid", x1: left, x2: width, y1: y, y2: y }), make("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, short(most * (4 - i) / 4)));
	}
	for (let i = 0; i <= marks; i++) {
		const back = seconds * (marks - i) / marks;

		svg.append(make("text", { x: left + (width - left) * i / marks, y: height - 4, "text-anchor": i === 0 ? "start" : i === marks ? "end" : "middle" },
			back === 0 ? "now" : back < 120 ? `−${Math.round(back)} s` : `−${(back / 60).toFixed(1).replace(/\.0$/, "")} min`));
	}
	for (const line of lines) {
		const d = path(line.values, width - left, height - bottom - 8, most);

		if (line.values.length > 1)
			svg.append(make("path", { class: `line c-${line.key}`, d, transform: `translate(${left} 8)` }));
	}
	fill("traffic", svg);
	fill("legend", ...lines.map(line => make("li", {}, make("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, make("rect", { width: 10, height: 10, rx: 3, class: `f-${line.key}` })),
		`${line.words} ${few(line.values.at(-1) ?? 0)}/min`)));
}

function drawTiles() {
	const last = samples.at(-1), now = of => rates(of).at(-1) ?? 0;
	const time = (name, words) => {
		const [half, most] = [quantile(name, 0.5), quantile(name, 0.95)];

		return half === null ? words : `p50 ${span(half)} · p95 ${span(most)}`;
	};

	fill("tiles",
		tile("In", few(now(series[0].of)), "/min", time("time-to-250", "no mail yet"), rates(series[0].of), "in"),
		tile("Out", few(now(series[1].of)), "/min", `${last.queue.deliveries} under way`, rates(series[1].of), "out"),
		tile("Into mailboxes", few(now(series[2].of)), "/min", time("time-in-queue", "no mail yet"), rates(series[2].of), "local"),
		tile("Waiting", short(last.spool.recipients), "", plural(last.spool.messages, "message"), samples.map(sample => sample.spool.recipients), "wait"),
		tile("Deferred", few(now(series[3].of)), "/min", `${short(last.counters["bounced"])} bounced in all`, rates(series[3].of), "defer"),
		tile("Refused", few(now(turnedAway)), "/min", `${short(last.counters["logins-failed"] + last.counters["logins-refused"])} bad logins in all`, rates(turnedAway), "bad"));
}

/* Shares of a whole, as one bar. */
function measure(words, parts, says) {
	const all = parts.reduce((sum, part) => sum + part.value, 0);
	const svg = make("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
	let x = 0;

	for (const part of parts) {
		const width = all > 0 ? part.value / all * 100 : 0;

		if (part.kind)
			svg.append(make("rect", { x, width, height: 8, class: `f-${part.kind}` }));
		x += width;
	}
	return make("div", { class: "measure" }, make("span", { title: words }, words), make("span", { class: "bar" }, svg), make("span", { class: "num" }, says));
}

const fact = (words, says) => make("div", { class: "measure fact" }, make("span", {}, words), make("span", { class: "num" }, says));

function drawSecurity() {
	const c = samples.at(-1).counters;
	const verdicts = (words, good, bad) => measure(words, [{ value: good, kind: "local" }, { value: bad, kind: "bad" }],
		good + bad === 0 ? "none yet" : bad === 0 ? `${short(good)} good` : `${short(good)} / ${short(bad)} bad`);
	const share = (words, part, all) => measure(words, [{ value: part, kind: "in" }, { value: Math.max(0, all - part) }], all === 0 ? "none yet" : `${Math.round(Math.min(1, part / all) * 100)} %`);

	fill("security",
		share("TLS of clients", c["tls-in"], c["connections"]),
		verdicts("TLS to others", c["tls-out"], c["tls-out-failed"]),
		verdicts("DANE", c["dane"], c["dane-failed"]),
		verdicts("MTA-STS policies", c["policies-fetched"] + c["policies-changed"], c["policies-failed"]),
		verdicts("SPF", c["spf-pass"], c["spf-fail"]),
		verdicts("DKIM", c["dkim-pass"], c["dkim-fail"]),
		verdicts("DMARC", c["dmarc-pass"], c["dmarc-fail"]),
		verdicts("Logins", c["logins"], c["logins-failed"] + c["logins-refused"]));
}

function drawHost() {
	const last = samples.at(-1), host = last.host, rows = [];

	if (host) {
		const used = host.spool_disk_bytes - host.spool_free_bytes, memory = host.memory_bytes - host.memory_free_bytes;
		const load = host.load / 1000, kind = part => part > 0.9 ? "bad" : part > 0.75 ? "defer" : "in";

		rows.push(measure("Disk of the spool", [{ value: used, kind: kind(used / host.spool_disk_bytes) }, { value: host.spool_free_bytes }], `${bytes(host.spool_free_bytes)} free`),
			measure("Memory", [{ value: memory, kind: "in" }, { value: host.memory_free_bytes }], `${bytes(host.memory_free_bytes)} unused`),
			host.descriptors_limit ? measure("Descriptors", [{ value: host.descriptors, kind: kind(host.descriptors / host.descriptors_limit) }, { value: host.descriptors_limit - host.descriptors }],
				`${short(host.descriptors)} of ${short(host.descriptors_limit)}`) : "",
			measure("Load", [{ value: Math.min(load, host.processors), kind: kind(load / host.processors / 1.2) }, { value: Math.max(0, host.processors - load) }], `${load.toFixed(2)} on ${host.processors}`));
		$("uptime").textContent = `up ${span(host.uptime_ms)}`;
	}
	rows.push(measure("Flushes shared", [{ value: last.spool.changes - last.spool.commits, kind: "local" }, { value: last.spool.commits }],
		last.spool.commits ? `${(last.spool.changes / last.spool.commits).toFixed(1)} each` : "none yet"),
		fact("History", plural(last.spool.history, "message")),
		fact("Troubles", last.counters["troubles"] > last.counters["troubles-over"] ? `${last.counters["troubles"] - last.counters["troubles-over"]} open` : "none"));
	fill("host", ...rows);
}

/* -- What ends ------------------------------------------------------------------------------- */

/* What it is, its state as a tag, since when, and what comes next. */
function term(name, more, [kind, word], since, next) {
	return make("tr", {}, make("th", { scope: "row" }, make("span", { class: "term" }, name), make("span", { class: "dim" }, more)), make("td", {}, make("span", { class: `tag ${kind}` }, word)),
		make("td", { class: "num dim since" }, since), make("td", { class: "next num" }, next));
}

function certificate(one) {
	const left = Date.parse(one.until) - Date.now(), days = left / 86400000;

	return term(one.name || "without a name", "certificate", days <= 0 ? ["bad", "expired"] : days < 7 ? ["bad", "ends soon"] : days < 21 ? ["warn", "to be renewed"] : ["good", "valid"],
		"", days <= 0 ? `ended ${ago(one.until)}` : `ends in ${span(left)}`);
}

const keyStates = { new: ["warn", "not used yet"], published: ["", "not used yet"], active: ["good", "signs"], retiring: ["idle", "signs no more"], retired: ["warn", "retired"] };

/* Steps of its plan come by themselves; the others are an operator's, and the server says which. */
function keyNext(key) {
	switch (key.state) {
	case "published":
		return `its record is published; signs ${until(key["signs-from"])}`;
	case "active":
		return key["signs-until"] ? `its successor signs ${until(key["signs-until"])}` : key.next !== "-" ? key.next : key["next-at"] ? `due for a successor ${until(key["next-at"])}` : "no change is planned";
	case "retiring":
		return `its record may go ${until(key["record-until"])}`;
	default:
		return key.next;
	}
}

function drawTerms() {
	const { certificates = [], dkim } = samples.at(-1), keys = dkim?.keys ?? [];
	const all = dkim ? Object.keys(keyStates).reduce((sum, state) => sum + dkim[state], 0) : 0;

	$("terms-section").hidden = certificates.length + all === 0;
	$("terms-sum").textContent = all === 0 ? "" : `${number.format(dkim.active)} of ${plural(all, "key")} ${dkim.active === 1 ? "signs" : "sign"}${all > keys.length ? `; the ${keys.length} whose next step is nearest` : ""}`;
	keys.sort((one, other) => one.domain.localeCompare(other.domain) || (other.state === "active") - (one.state === "active"));
	fill("terms", ...certificates.map(certificate), ...keys.map(key => term(key.domain, `${key.selector} · ${key.algorithm === "rsa" ? "RSA" : "Ed25519"}`, keyStates[key.state] ?? ["", key.state],
		`since ${ago(key.since)}`.replace(" ago", ""), keyNext(key))));
}

/* -- Who is told of deliveries --------------------------------------------------------------- */

const hookStates = { works: ["good", "works"], fails: ["bad", "fails"], stopped: ["warn", "stopped by 410"], unusable: ["bad", "unusable"] };

/* How it stands between us and him. */
function hookWords(hook) {
	const tried = hook.last ? `${hook.last.error ?? "taken"}, ${ago(hook.last.time)}` : "not tried yet";
	const words = hook.problem ?? `${tried}${hook.state === "fails" && hook.next ? `; next try ${until(hook.next)}` : ""}`;

	return hook.dropped > 0 ? `${words}; ${plural(hook.dropped, "event")} lost` : words;
}

function drawHooks() {
	const { webhooks = [] } = samples.at(-1);

	$("hooks-section").hidden = webhooks.length === 0;
	fill("hooks", ...webhooks.map(hook => term(hook.name, hook.url, hookStates[hook.state] ?? ["", hook.state],
		hook.waiting > 0 ? `${short(hook.waiting)} waiting` : `${short(hook.taken)} taken`, hookWords(hook))));
}

function drawVerdict() {
	const last = samples.at(-1), held = last.queue.in_trouble, open = last.counters["troubles"] - last.counters["troubles-over"];
	const over = (last.certificates ?? []).find(one => Date.parse(one.until) <= Date.now());
	const [kind, words] = over ? ["bad", `The certificate ${over.name ? `of ${over.name} ` : ""}has expired`] : open > 0 ? ["bad", "A part of the server is in trouble: see the log"]
		: held > 0 ? ["warn", `Mail flows, but ${plural(held, "destination")} ${held === 1 ? "does" : "do"} not take it`] : ["good", last.spool.recipients > 0 ? `Mail is flowing, ${short(last.spool.recipients)} waiting` : "Mail is flowing"];

	$("verdict").className = `pill ${kind}`;
	if ($("verdict").textContent !== words)
		$("verdict").textContent = words;
	$("version").textContent = last.version;
	document.title = `${held + open > 0 ? "● " : ""}${short(last.spool.recipients)} waiting – postroad`;
}

/* -- What waits ----------------------------------------------------------------------------- */

/* Why mail that is due does not leave, in plain words; null: it may. */
function heldBack(state) {
	if (!state)
		return null;
	const rate = /^(\d+) messages in (\d+) s$/.exec(state.limits?.rate ?? ""), fixed = state.limits ? `the section destination "${state.limits.by}"` : "";
	const others = state.same_hosts > 1 ? ` It shares this with ${plural(state.same_hosts - 1, "other domain")} at the same hosts.` : "";
	const words = {
		paced: `The rate is used up${rate ? `: ${plural(Number(rate[1]), "message")} in ${rate[2] % 3600 ? span(rate[2] * 1000) : `${rate[2] / 3600} h`}, fixed by ${fixed}` : ""}. The next may leave ${state.paced_until ? until(state.paced_until) : "soon"}.`,
		full: `All ${plural(state.concurrency, "place")} at its hosts ${state.concurrency === 1 ? "is" : "are"} taken, as many as ${state.limits?.concurrency || state.limits?.connections ? `${fixed} fixes` : "was learned from their answers"}.`,
		paused: `Its hosts rest after trouble; the next attempt is ${state.paused_until ? until(state.paused_until) : "soon"}.`,
		down: `Its hosts take nothing; one attempt is made ${state.paused_until ? until(state.paused_until) : "soon"}.`,
	}[state.gate];

	return words ? words + others : null;
}

function destination(one, pauses) {
	const still = one.held + one.paused === one.recipients;
	const facts = [`oldest ${ago(one.oldest)}`, one.next && !heldBack(one.state) ? `next attempt ${until(one.next)}` : null, one.held ? `${number.format(one.held)} held` : null, one.paused ? `${number.format(one.paused)} paused` : null];
	const paused = one.paused > 0 || pauses.has(one.domain.toLowerCase()), filter = { domain: one.domain }, why = heldBack(one.state);

	return make("div", { class: "row" },
		make("div", { class: "name" }, make("button", { type: "button", class: "link strong", title: "See its messages", "data-key": `messages ${one.domain}`, click: () => showOnly(one.domain) }, one.domain),
			make("span", { class: "count num" }, plural(one.recipients, "recipient")),
			paused ? make("span", { class: "tag paused" }, "paused") : null, why ? make("span", { class: "tag warn" }, "held back") : null),
		make("div", { class: "why num" }, facts.filter(Boolean).join(" · ")),
		why ? make("div", { class: "pace num" }, why) : null,
		one.last ? make("div", { class: "reply mono" }, one.last) : null,
		make("div", { class: "buttons" },
			button("Retry", one.domain, "POST", "/v1/queue/retry", filter),
			still && one.held ? button("Release", one.domain, "POST", "/v1/queue/release", filter) : button("Hold", one.domain, "POST", "/v1/queue/hold", filter),
			paused ? button("Resume", one.domain, "DELETE", `/v1/pauses?domain=${encodeURIComponent(one.domain)}`) : button("Pause", one.domain, "POST", "/v1/pauses", filter),
			button("Bounce", one.domain, "POST", "/v1/queue/bounce", filter, true)));
}

function drawWaits(answer, paused) {
	const pauses = new Set(paused.pauses.filter(pause => pause.of === "domain").map(pause => pause.subject.toLowerCase()));
	const recipients = answer.destinations.reduce((sum, one) => sum + one.recipients, 0);

	$("waits-sum").textContent = recipients === 0 ? "" : `${answer.complete ? "" : "of the oldest: "}${plural(recipients, "recipient")} for ${plural(answer.destinations.length, "domain")}`;
	/* Mail that goes to another host than the domain's own. */
	const others = (answer.held_back ?? []).filter(one => heldBack(one.state)).map(one => make("div", { class: "row" },
		make("div", { class: "name" }, one.destination, make("span", { class: "tag warn" }, "held back")), make("div", { class: "pace num" }, heldBack(one.state))));

	fill("waits", ...others, ...(recipients === 0 ? [make("div", { class: "empty" }, make("b", {}, "Nothing waits."), "Every message has arrived, or its sender knows why not.")]
		: answer.destinations.map(one => destination(one, pauses))));
}

function drawQueue(answer) {
	$("queue-title").textContent = only ? `Oldest for ${only}` : "Oldest in the queue";
	$("queue-sum").textContent = answer.next ? "the first 10" : "";
	$("queue-all").hidden = !only;
	fill("queue", ...(answer.messages.length === 0 ? [make("div", { class: "empty" }, only ? "Nothing waits for it." : "The queue is empty.")] : answer.messages.map(message =>
		make("div", { class: "row" },
			make("div", { class: "name" }, make("button", { type: "button", class: "link mono", title: "See its life", "data-key": message.id, click: () => find(message.id, true) }, message.id),
				make("span", { class: "count num" }, `${ago(message.arrived)} · ${bytes(Math.max(message.size, 2 ** 20)).startsWith("1 ") ? `${Math.ceil(message.size / 1024)} KiB` : bytes(message.size)}`)),
			make("div", { class: "why" }, `${message.sender} → `, ...message.recipients.slice(0, 3).flatMap(one => [one.address, make("span", { class: `tag ${one.state}` }, one.state), " "]),
				message.recipients.length > 3 ? `and ${message.recipients.length - 3} more` : null),
			make("div", { class: "buttons" }, button("Retry", message.id, "POST", `/v1/messages/${message.id}/retry`),
				button(message.recipients.some(one => one.state === "held") ? "Release" : "Hold", message.id, "POST", `/v1/messages/${message.id}/${message.recipients.some(one => one.state === "held") ? "release" : "hold"}`),
				button("Bounce", message.id, "POST", `/v1/messages/${message.id}/bounce`, undefined, true))))));
}

const askQueue = () => ask("GET", `/v1/queue?limit=10${only ? `&domain=${encodeURIComponent(only)}` : ""}`);

/* The messages for one domain, or all again. */
async function showOnly(domain) {
	only = domain;
	try {
		drawQueue(await askQueue());
		$("queue-title").focus();
		$("queue-title").scrollIntoView({ block: "center" });
	} catch (error) {
		say(error.message);
	}
}

/* -- The life of a message -------------------------------------------------------------------- */

const kinds = { received: "in", delivered: "good", finished: "good", deferred: "warn", held: "warn", paused: "warn", warned: "warn", "in-doubt": "warn", bounced: "bad", discarded: "bad", rejected: "bad", deleted: "bad", quarantined: "bad" };

function step(one) {
	const { time, event, id, ...facts } = one;
	const head = [facts.from ? `from ${facts.from}` : null, facts.to ? `to ${facts.to}` : null, facts.host ? `at ${facts.host}` : null, facts.code ? [facts.code, facts.status, facts.reply].filter(Boolean).join(" ") : facts.reply].filter(Boolean);
	const rest = Object.entries(facts).filter(([name]) => !["from", "to", "host", "code", "status", "reply"].includes(name)).map(([name, value]) => `${name} ${value}`);

	return make("li", { class: kinds[event] ?? "" }, make("b", {}, event), make("time", { datetime: time, class: "num" }, new Date(time).toLocaleString()),
		make("div", {}, head.join(" · ")), rest.length ? make("div", { class: "facts" }, rest.join(" · ")) : null);
}

async function find(about, loud) {
	try {
		const answer = await ask("GET", `/v1/messages?about=${encodeURIComponent(about)}`);

		if (!loud && shown !== about)
			return; /* It was closed meanwhile, or something else was looked for. */
		shown = about;
		$("found-title").textContent = about;
		const open = new Set([...document.querySelectorAll("#found-list details[open]")].map(one => one.dataset.id));

		fill("found-list", ...answer.messages.toReversed().map((message, i) => make("details", { class: "message", "data-id": message.id, open: (loud ? i === 0 : open.has(message.id)) ? "" : null },
			make("summary", { "data-key": `life ${message.id}` }, make("span", { class: "mono" }, message.id), make("span", { class: `tag ${message.state}` }, message.state),
				make("span", { class: "dim num" }, message.steps.length ? ` ${message.steps[0].event ?? ""} ${message.steps[0].time ? ago(message.steps[0].time) : ""}` : "")),
			make("div", { class: "title" }, message.state === "finished" ? null : make("div", { class: "buttons" }, button("Retry", message.id, "POST", `/v1/messages/${message.id}/retry`),
					button("Hold", message.id, "POST", `/v1/messages/${message.id}/hold`), button("Release", message.id, "POST", `/v1/messages/${message.id}/release`),
					button("Bounce", message.id, "POST", `/v1/messages/${message.id}/bounce`, undefined, true))),
			make("ol", { class: "life" }, ...message.steps.map(step)))));
		$("found").hidden = false;
		if (loud)
			$("found").scrollIntoView({ block: "nearest" });
	} catch (error) {
		if (loud)
			say(error.message);
	}
}

/* -- The round ---------------------------------------------------------------------------------- */

async function look() {
	if (asking)
		return;
	asking = true;
	try {
		const stats = await ask("GET", "/v1/stats");

		if (samples.length && stats.counters["received"] < samples.at(-1).counters["received"])
			samples.length = 0;
		samples.push({ ...stats, time: Date.now() });
		if (samples.length > KEPT + 1)
			samples.shift();
		drawVerdict();
		drawTiles();
		drawTraffic();
		drawSecurity();
		drawHost();
		drawTerms();
		drawHooks();
		$("token-again").hidden = true;
		if (rounds++ % WAITS_EVERY === 0) {
			drawWaits(await ask("GET", "/v1/destinations"), await ask("GET", "/v1/pauses"));
			drawQueue(await askQueue());
			if (shown)
				await find(shown, false);
		}
	} catch (error) {
		$("verdict").className = "pill bad";
		$("verdict").textContent = error instanceof TypeError ? "The server does not answer" : error.message;
	}
	asking = false;
}

async function lookAgain() {
	rounds = 0;
	await look();
}

$("search").addEventListener("submit", event => {
	event.preventDefault();
	if ($("about").value.trim())
		find($("about").value.trim(), true);
});
$("found-close").addEventListener("click", () => { $("found").hidden = true; shown = null; $("about").focus(); });
$("queue-all").addEventListener("click", () => showOnly(null));
$("token-again").addEventListener("click", () => $("token-dialog").showModal());
$("token-form").addEventListener("submit", event => {
	event.preventDefault();
	token = $("token").value.trim();
	sessionStorage.setItem("token", token);
	$("token").value = "";
	refused = false;
	$("token-dialog").close();
	rounds = 0;
	look();
});
document.addEventListener("keydown", event => {
	if (event.key === "/" && !["INPUT", "TEXTAREA"].includes(document.activeElement.tagName)) {
		event.preventDefault();
		$("about").focus();
	} else if (event.key === "Escape" && !$("found").hidden && !document.querySelector("dialog[open]")) {
		$("found-close").click();
	}
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
look();
setInterval(() => { if (!document.hidden) look(); }, EVERY_MS);
