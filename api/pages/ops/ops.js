// The console's script: keeps pages up to date, and answers a few keys. Without it everything works by reload.

const RETRY_MS = 10_000;
const PLACES = { o: "/ops", e: "/ops/errors", d: "/ops/jobs", r: "/ops/retries", s: "/ops/search", a: "/ops/audit" };
const GO_MS = 1500;

// What the parser is given comes from our own stream alone, whose templates have escaped it.
const policy = globalThis.trustedTypes?.createPolicy("vouch-ops", { createHTML: (html) => html });

function parse(html) {
  // Around it, so that blanks at its start stay.
  const whole = `<div>${html}</div>`;
  const page = new DOMParser().parseFromString(policy ? policy.createHTML(whole) : whole, "text/html");
  return page.body.firstElementChild;
}

/** Makes what is shown like what came, and touches nothing that is the same: focus, selection and scrolling stay. */
function renew(shown, fresh) {
  if (shown.isEqualNode(fresh)) return;
  if (shown.nodeType !== fresh.nodeType || shown.nodeName !== fresh.nodeName || (shown.id ?? "") !== (fresh.id ?? "")) {
    shown.replaceWith(fresh.cloneNode(true));
    return;
  }
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    shown.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...shown.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) shown.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  renewChildren(shown, fresh);
}

function renewChildren(shown, fresh) {
  const wanted = [...fresh.childNodes];
  for (let index = 0; index < wanted.length; index++) {
    const now = shown.childNodes[index];
    const next = wanted[index];
    // A row that went away or moved takes its own with it, so that a focused link stays the link that it was.
    const same = next.id ? [...shown.childNodes].slice(index).find((node) => node.id === next.id) : null;
    if (same && same !== now) {
      while (shown.childNodes[index] !== same) shown.childNodes[index].remove();
      renew(same, next);
    } else if (now) renew(now, next);
    else shown.append(next.cloneNode(true));
  }
  while (shown.childNodes.length > wanted.length) shown.lastChild.remove();
}

function tell(text, isOn) {
  const sign = document.querySelector("#live");
  if (!sign) return;
  sign.textContent = text;
  sign.toggleAttribute("data-on", isOn);
}

function follow(url) {
  const stream = new EventSource(url);
  stream.addEventListener("open", () => tell("Live", true));
  stream.addEventListener("message", ({ data }) => {
    const { region, html } = JSON.parse(data);
    const shown = document.querySelector(`[data-region="${CSS.escape(region)}"]`);
    if (shown) renewChildren(shown, parse(html));
    document.documentElement.dataset.live = region;
  });
  stream.addEventListener("gone", () => {
    stream.close();
    tell("Signed out", false);
    location.reload();
  });
  stream.addEventListener("error", () => {
    const isOver = stream.readyState === EventSource.CLOSED;
    tell(isOver ? "Not live; reload to see what is new" : "Connecting again", false);
    if (isOver) setTimeout(follow, RETRY_MS, url);
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
}

function listenToKeys() {
  let wentAt = 0;
  addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, select, textarea, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const isSecond = event.timeStamp - wentAt < GO_MS;
    wentAt = 0;
    if (isSecond && PLACES[event.key]) location.assign(PLACES[event.key]);
    else if (event.key === "g") wentAt = event.timeStamp;
    else if (event.key === "/") show("#find", event);
    else if (event.key === "?") {
      const keys = document.querySelector(".keys");
      if (keys) keys.open = true;
      show(".keys summary", event);
    }
  });
}

function show(selector, event) {
  const found = document.querySelector(selector);
  if (!found) return;
  event.preventDefault();
  found.focus();
}

/** Ticks of a list: all at once, and from one to another with Shift. */
function helpToPick() {
  const boxes = [...document.querySelectorAll("[name=job_id]")];
  const all = document.querySelector("#pick-all");
  if (!all) return;
  let last = null;
  const count = () => {
    const picked = boxes.filter((box) => box.checked).length;
    document.querySelector("#picked").textContent = picked ? `${picked} selected` : "";
    document.querySelector("#retry-picked").disabled = picked === 0;
    all.checked = picked === boxes.length;
    all.indeterminate = picked > 0 && !all.checked;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  for (const box of boxes) {
    box.addEventListener("click", (event) => {
      if (event.shiftKey && last) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((one, other) => one - other);
        for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
      }
      last = box;
      count();
    });
  }
  count();
}

/** A form is sent once, however often it is pressed. */
function sendOnce() {
  addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.target.dataset.isSent) event.preventDefault();
    event.target.dataset.isSent = "yes";
  });
  addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.isSent;
  });
}

const live = document.querySelector("[data-live]")?.dataset.live;
if (live) follow(live);
listenToKeys();
helpToPick();
sendOnce();
document.querySelector("[role=alert]")?.focus();
document.documentElement.dataset.ready = "yes";
