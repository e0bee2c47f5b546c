// What has become of a submission: asked every few seconds, then less and less often, while somebody looks.

const POLL_FIRST_MS = 5000;
const POLL_LAST_MS = 60_000;
const POLLS_BEFORE_SLOWER = 12;
const FINAL = ["approved", "must_reverify"];

async function watchStanding(root, receipt) {
  if (!root) return;
  if (receipt) {
    find(".receipt code", root).textContent = receipt;
    find(".receipt", root).hidden = false;
  }
  for (let polls = 1, pause = POLL_FIRST_MS; ; polls++) {
    const standing = document.hidden ? null : await askStanding();
    if (standing) await showStanding(root, standing);
    if (FINAL.includes(standing?.status)) return;
    if (polls > POLLS_BEFORE_SLOWER) pause = Math.min(POLL_LAST_MS, pause * 1.5);
    await wait(pause);
  }
}

async function askStanding() {
  try {
    const answer = await fetch("/verify_student/status/", { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

async function showStanding(root, { status, expires, reasons: told = [], can_verify: canVerify }) {
  const text = find(".standing-text", root);
  const until = expires ? new Date(expires).toLocaleDateString(document.documentElement.lang, { dateStyle: "long" }) : "";
  const more = status === "approved" && until ? `${say("status-until")} ${until}.` : say(`status-${status}-more`);
  if (root.dataset.state === status && root.dataset.isFilled) return;
  Object.assign(root.dataset, { state: status, isFilled: "yes" });
  tell(text, say(`status-${status}`), more);
  const list = find(".reasons", root);
  list.hidden = !told.length;
  const known = told.length ? await loadReasons() : {};
  list.replaceChildren(...told.map((reason) => reasonItem(...(known[reason] ?? [reason, ""]))));
  find(".until-final", root).hidden = FINAL.includes(status);
  find(".again", root).hidden = status === "pending" || status === "approved" || !canVerify;
}

/** The reasons' words in the learner's language and what to do, by their English text. */
async function loadReasons() {
  try {
    return await (await fetch(document.body.dataset.reasons)).json();
  } catch {
    return {};
  }
}

function reasonItem(text, advice) {
  const item = make("li", "");
  item.append(make("strong", text), ...(advice ? [" ", make("span", advice)] : []));
  return item;
}
