/* The page: asks the server for its numbers every few seconds and draws them. Words of strangers (addresses, replies) reach the page as
 * text only, never as markup: every element is made by `make`. */
"use strict";

const EVERY_MS = 2000, WAITS_EVERY = 3, KEPT = 300;
const samples = [];
let token = sessionStorage.getItem("token"), rounds = 0, asking = false, shown = null;

/* -- Making elements ------------------------------------------------------------ */

const $ = id => document.getElementById(id);

function make(kind, attributes = {}, ...children) {
	const drawn = ["svg", "path", "rect", "line", "text", "circle", "title"].includes(kind);
	const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", kind) : document.createElement(kind);

	for (const [name, value] of Object.entries(attributes))
		if (name === "click")
			element.addEventListener("click", value);
		else if (value !== null)
			element.setAttribute(name, value);
	element.append(...children.filter(child => child !== null));
	return element;
}

/* In place of what was there, unless somebody's focus is in it: a button must not vanish under a finger. */
function fill(id, ...children) {
	const place = $(id), focused = document.activeElement;
	const key = place.contains(focused) ? focused.dataset.key : null;

	place.replaceChildren(...children);
	if (key)
		[...place.querySelectorAll("[data-key]")].find(element => element.dataset.key === key)?.focus();
}

/* -- Words ------------------------------------------------------------------------ */

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const few = value => value >= 100 || Number.isInteger(value) ? number.format(value) : value >= 10 ? value.toFixed(0) : value.toFixed(1);
const short = value => value >= 1e6 ? (value / 1e6).toFixed(1) + " M" : value >= 1e4 ? (value / 1e3).toFixed(0) + " k" : few(value);
const plural = (count, word) => `${number.format(count)} ${word}${count === 1 ? "" : "s"}`;

function span(ms) {
	const s = Math.max(0, ms) / 1000;

	if (s < 1)
		return `${Math.round(s * 1000)} ms`;
	if (s < 90)
		return `${s < 10 ? s.toFixed(1).replace(/\.0$/, "") : Math.round(s)} s`;
	if (s < 5400)
		return `${Math.round(s / 60)} min`;
	return s < 129600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

const ago = time => `${span(Date.now() - Date.parse(time))} ago`;
const until = time => Date.parse(time) <= Date.now() ? "now" : `in ${span(Date.parse(time) - Date.now())}`;
const bytes = value => value >= 2 ** 40 ? (value / 2 ** 40).toFixed(1) + " TiB" : value >= 2 ** 30 ? (value / 2 ** 30).toFixed(1) + " GiB" : Math.round(value / 2 ** 20) + " MiB";

/* -- Asking -------------------------------------------------------------------------- */

async function ask(method, path, body) {
	const headers = body ? { "Content-Type": "application/json" } : {};

	if (token)
		headers.Authorization = `Bearer ${token}`;
	const answer = await fetch(path, { method, headers, body: body ? JSON.stringify(body) : undefined, credentials: "omit" });

	if (answer.status === 401) {
		if (!$("token-dialog").open)
			$("token-dialog").showModal();
		throw new Error("a token is needed");
	}
	const value = await answer.json();

	if (!answer.ok)
		throw new Error(value.error);
	return value;
}

function say(words) {
	$("toast").textContent = words;
	$("toast").hidden = false;
	clearTimeout(say.timer);
	say.timer = setTimeout(() => { $("toast").hidden = true; }, 5000);
}

async function act(button, what, method, path, body) {
	button.disabled = true;
	try {
		const answer = await ask(method, path, body);

		say(answer.recipients === undefined ? `${what}: done` : `${what}: ${plural(answer.recipients, "recipient")}`);
		rounds = 0;
		if (shown)
			await find(shown, false);
		await look();
	} catch (error) {
		say(`${what}: ${error.message}`);
	}
	button.disabled = false;
}

/* Bouncing and deleting cannot be undone: the button is pressed twice. */
function button(words, about, method, path, body, danger) {
	const element = make("button", { type: "button", "data-key": `${words} ${about}`, "aria-label": `${words} ${about}`, class: danger ? "danger" : null }, words);

	element.addEventListener("click", () => {
		if (danger && element.dataset.sure !== "yes") {
			element.dataset.sure = "yes";
			element.textContent = "Sure?";
			setTimeout(() => { element.dataset.sure = "no"; element.textContent = words; }, 3000);
			return;
		}
		act(element, `${words} ${about}`, method, path, body);
	});
	return element;
}

/* -- Rates ------------------------------------------------------------------------------ */

const series = [
	{ key: "in", words: "In", of: c => c["received"] },
	{ key: "out", words: "Out", of: c => c["delivered"] - c["delivered-here"] },
	{ key: "local", words: "Into mailboxes", of: c => c["delivered-here"] },
	{ key: "defer", words: "Deferred", of: c => c["deferred"] },
];
const refused = c => c["rejected"] + c["limited"];

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
	const step = kept.length > 1 ? width / 59 : 0, begin = width - step * (kept.length - 1);
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
		tile("In", few(now(series[0].of)), "/min", time("time-to-250", "until their 250"), rates(series[0].of), "in"),
		tile("Out", few(now(series[1].of)), "/min", `${last.queue.deliveries} under way`, rates(series[1].of), "out"),
		tile("Into mailboxes", few(now(series[2].of)), "/min", time("time-in-queue", "time in the queue"), rates(series[2].of), "local"),
		tile("Waiting", short(last.spool.recipients), "", plural(last.spool.messages, "message"), samples.map(sample => sample.spool.recipients), "wait"),
		tile("Deferred", few(now(series[3].of)), "/min", `${short(last.counters["bounced"])} bounced in all`, rates(series[3].of), "defer"),
		tile("Refused", few(now(refused)), "/min", `${short(last.counters["logins-failed"] + last.counters["logins-refused"])} bad logins in all`, rates(refused), "bad"));
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

/* Of 90 days, which is how long most are made for. */
function certificate(one) {
	const days = (Date.parse(one.until) - Date.now()) / 86400000;

	return measure(one.name || "Certificate", [{ value: Math.min(90, Math.max(0, days)), kind: days < 7 ? "bad" : days < 21 ? "defer" : "local" }, { value: 90 - Math.min(90, Math.max(0, days)) }],
		days <= 0 ? "expired" : `ends in ${span(days * 86400000)}`);
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
	rows.push(...(last.certificates ?? []).map(certificate));
	rows.push(measure("Flushes shared", [{ value: last.spool.changes - last.spool.commits, kind: "local" }, { value: last.spool.commits }],
		last.spool.commits ? `${(last.spool.changes / last.spool.commits).toFixed(1)} each` : "none yet"),
		measure("History", [], plural(last.spool.history, "message")),
		measure("Troubles", [{ value: last.counters["troubles"] - last.counters["troubles-over"], kind: "bad" }, { value: 0.001 }],
			last.counters["troubles"] > last.counters["troubles-over"] ? `${last.counters["troubles"] - last.counters["troubles-over"]} open` : "none"));
	fill("host", ...rows);
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

function destination(one) {
	const still = one.held + one.paused === one.recipients;
	const facts = [`oldest ${ago(one.oldest)}`, one.next ? `next attempt ${until(one.next)}` : null, one.held ? `${number.format(one.held)} held` : null, one.paused ? `${number.format(one.paused)} paused` : null];
	const filter = { domain: one.domain };

	return make("div", { class: "row" },
		make("div", { class: "name" }, one.domain, make("span", { class: "count num" }, plural(one.recipients, "recipient")), one.paused ? make("span", { class: "tag paused" }, "paused") : null),
		make("div", { class: "why num" }, facts.filter(Boolean).join(" · ")),
		one.last ? make("div", { class: "reply mono" }, one.last) : null,
		make("div", { class: "buttons" },
			button("Retry", one.domain, "POST", "/v1/queue/retry", filter),
			still && one.held ? button("Release", one.domain, "POST", "/v1/queue/release", filter) : button("Hold", one.domain, "POST", "/v1/queue/hold", filter),
			one.paused ? button("Resume", one.domain, "DELETE", `/v1/pauses?domain=${encodeURIComponent(one.domain)}`) : button("Pause", one.domain, "POST", "/v1/pauses", filter),
			button("Bounce", one.domain, "POST", "/v1/queue/bounce", filter, true)));
}

function drawWaits(answer) {
	const recipients = answer.destinations.reduce((sum, one) => sum + one.recipients, 0);

	$("waits-sum").textContent = recipients === 0 ? "" : `${answer.complete ? "" : "of the oldest: "}${plural(recipients, "recipient")} for ${plural(answer.destinations.length, "domain")}`;
	fill("waits", ...(recipients === 0 ? [make("div", { class: "empty" }, make("b", {}, "Nothing waits."), "Every message has arrived, or its sender knows why not.")]
		: answer.destinations.map(destination)));
}

function drawQueue(answer) {
	$("queue-sum").textContent = answer.next ? "the first 10" : "";
	fill("queue", ...(answer.messages.length === 0 ? [make("div", { class: "empty" }, "The queue is empty.")] : answer.messages.map(message =>
		make("div", { class: "row" },
			make("div", { class: "name" }, make("button", { type: "button", class: "link mono", title: "See its life", "data-key": message.id, click: () => find(message.id, true) }, message.id),
				make("span", { class: "count num" }, `${ago(message.arrived)} · ${bytes(Math.max(message.size, 2 ** 20)).startsWith("1 ") ? `${Math.ceil(message.size / 1024)} KiB` : bytes(message.size)}`)),
			make("div", { class: "why" }, `${message.sender} → `, ...message.recipients.slice(0, 3).flatMap(one => [one.address, make("span", { class: `tag ${one.state}` }, one.state), " "]),
				message.recipients.length > 3 ? `and ${message.recipients.length - 3} more` : null),
			make("div", { class: "buttons" }, button("Retry", message.id, "POST", `/v1/messages/${message.id}/retry`),
				button(message.recipients.some(one => one.state === "held") ? "Release" : "Hold", message.id, "POST", `/v1/messages/${message.id}/${message.recipients.some(one => one.state === "held") ? "release" : "hold"}`),
				button("Bounce", message.id, "POST", `/v1/messages/${message.id}/bounce`, undefined, true))))));
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

		shown = about;
		$("found-title").textContent = about;
		const open = new Set([...document.querySelectorAll("#found-list details[open]")].map(one => one.dataset.id));

		fill("found-list", ...answer.messages.toReversed().map((message, i) => make("details", { class: "message", "data-id": message.id, open: (loud ? i === 0 : open.has(message.id)) ? "" : null },
			make("summary", {}, make("span", { class: "mono" }, message.id), make("span", { class: `tag ${message.state}` }, message.state),
				make("span", { class: "dim num" }, message.steps.length ? ` ${message.steps[0].event ?? ""} ${message.steps[0].time ? ago(message.steps[0].time) : ""}` : "")),
			make("div", { class: "title" }, message.state === "finished" ? null : make("div", { class: "buttons" }, button("Retry", message.id, "POST", `/v1/messages/${message.id}/retry`),
					button("Hold", message.id, "POST", `/v1/messages/${message.id}/hold`), button("Release", message.id, "POST", `/v1/messages/${message.id}/release`),
					button("Bounce", message.id, "POST", `/v1/messages/${message.id}/bounce`, undefined, true))),
			make("ol", { class: "life" }, ...message.steps.map(step)))));
		$("found").hidden = false;
		if (loud)
			$("found").scrollIntoView({ block: "nearest" });
	} catch (error) {
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
		if (rounds++ % WAITS_EVERY === 0) {
			drawWaits(await ask("GET", "/v1/destinations"));
			drawQueue(await ask("GET", "/v1/queue?limit=10"));
		}
	} catch (error) {
		$("verdict").className = "pill bad";
		$("verdict").textContent = error instanceof TypeError ? "The server does not answer" : error.message;
	}
	asking = false;
}

$("search").addEventListener("submit", event => {
	event.preventDefault();
	if ($("about").value.trim())
		find($("about").value.trim(), true);
});
$("found-close").addEventListener("click", () => { $("found").hidden = true; shown = null; });
$("token-form").addEventListener("submit", event => {
	event.preventDefault();
	token = $("token").value.trim();
	sessionStorage.setItem("token", token);
	$("token").value = "";
	$("token-dialog").close();
	rounds = 0;
	look();
});
document.addEventListener("keydown", event => {
	if (event.key === "/" && !["INPUT", "TEXTAREA"].includes(document.activeElement.tagName)) {
		event.preventDefault();
		$("about").focus();
	} else if (event.key === "Escape" && !$("found").hidden && !$("token-dialog").open) {
		$("found-close").click();
	}
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
look();
setInterval(() => { if (!document.hidden) look(); }, EVERY_MS);
