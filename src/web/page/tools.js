/* What the page is made with: elements, words, questions to the server, buttons. page.js comes behind it in the same file. Words of
 * strangers (addresses, replies) reach the page as text only, never as markup: every element is made by `make`. */
"use strict";

let token = sessionStorage.getItem("token"), refused = false;

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

/* What is drawn again stays the same element, so that nothing vanishes under a finger, a pointer or a reader's voice. What acts when it is
 * pressed has a data-key that tells what it does: with another one it is another element. */
function settle(place, children) {
	const before = [...place.childNodes];

	for (const [i, child] of children.entries()) {
		const old = before[i];

		if (!old)
			place.append(child);
		else if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== child.nodeName || old.dataset.key !== child.dataset.key)
			old.isEqualNode(child) || old.replaceWith(child);
		else
			become(old, child);
	}
	before.slice(children.length).forEach(old => old.remove());
}

function become(old, fresh) {
	for (const name of old.getAttributeNames())
		if (!fresh.hasAttribute(name))
			old.removeAttribute(name);
	for (const name of fresh.getAttributeNames())
		if (old.getAttribute(name) !== fresh.getAttribute(name))
			old.setAttribute(name, fresh.getAttribute(name));
	settle(old, [...fresh.childNodes]);
}

/* In place of what was there. Somebody's focus stays on what stands for the same thing: a button must not vanish under a finger. When
 * that has gone, it goes to the title above. */
function fill(id, ...children) {
	const place = $(id), focused = document.activeElement, inside = place.contains(focused);
	const key = inside ? focused.dataset.key : null;

	settle(place, children.map(child => child instanceof Node ? child : document.createTextNode(child)));
	if (inside && document.activeElement !== focused)
		focusOn(key, place);
}

function focusOn(key, place) {
	const same = key && [...document.querySelectorAll("[data-key]")].find(element => element.dataset.key === key);
	const target = same || place.closest("section").querySelector("h2");

	target.focus({ preventScroll: !same });
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
		askForToken();
		throw new Error("A token is needed");
	}
	refused = false;
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

/* Once: who closes the question is not asked again before he wants to. */
function askForToken() {
	$("token-again").hidden = false;
	if (!refused && !$("token-dialog").open)
		$("token-dialog").showModal();
	refused = true;
}

/* A button that is disabled would lose its focus. */
async function act(button, what, method, path, body) {
	if (button.getAttribute("aria-disabled"))
		return;
	button.setAttribute("aria-disabled", "true");
	try {
		const answer = await ask(method, path, body);

		say(answer.recipients === undefined ? `${what}: done` : `${what}: ${plural(answer.recipients, "recipient")}`);
		await lookAgain();
	} catch (error) {
		say(`${what}: ${error.message}`);
	}
	button.removeAttribute("aria-disabled");
}

/* What cannot be undone is asked for first. Behind the question the page may have drawn its buttons anew. */
function makeSure(element, what, does) {
	const dialog = $("sure-dialog"), place = element.closest("section");

	$("sure-title").textContent = `${what}?`;
	$("sure-go").textContent = what.split(" ")[0];
	dialog.returnValue = "";
	dialog.showModal();
	dialog.addEventListener("close", () => {
		if (document.activeElement === document.body) /* Its button was drawn anew; else it has the focus, or somebody went on already. */
			focusOn(element.dataset.key, place);
		if (dialog.returnValue === "go")
			does();
	}, { once: true });
}

/* `danger`: it cannot be undone. */
function button(words, about, method, path, body, danger) {
	const what = `${words} ${about}`;
	const element = make("button", { type: "button", "data-key": what, "aria-label": what, "aria-haspopup": danger ? "dialog" : null,
		class: danger ? "danger" : null }, words);
	const does = () => act(element, what, method, path, body);

	element.addEventListener("click", () => danger ? makeSure(element, what, does) : does());
	return element;
}
