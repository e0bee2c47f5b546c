// What the server told, and the few tools that every part uses. The parts are joined into one module.

const page = document.body.dataset.page;
const container = document.querySelector("[id$=-container]");
const facts = container?.dataset ?? {};
const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

const find = (selector, root = document) => root?.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** A text of the catalogue. */
function say(key, values = {}) {
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), texts[key] ?? key);
}

function make(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}

/** Shows what is wrong and what to do in an element with the role `alert`; nothing: it is no longer wrong. */
function tell(box, title, ...lines) {
  box?.replaceChildren(...(title ? [make("p", ""), ...lines.map((line) => make("p", line))] : []));
  if (title) box.firstChild.append(make("strong", title));
}

/** Writes into a live region, and only when the text is another: then it is read aloud once. */
function hint(box, text) {
  if (box && box.textContent !== text) box.textContent = text;
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function token() {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
  return found ? decodeURIComponent(found.slice("csrftoken=".length)) : "";
}

/** Tells what happened, so that operators see where people give up. Nothing depends on it. */
function track(name, step) {
  fetch("/verify_student/events/", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
    body: JSON.stringify(step ? { name, step } : { name }),
  }).catch(() => {});
}

function trackPage(template) {
  const isAlternative = template === "make_payment_step" && facts.isAbTesting === "true";
  track("page", isAlternative ? `${template}_ab_testing` : template);
}
