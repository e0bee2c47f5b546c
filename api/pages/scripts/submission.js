// Sending the photos: one request, with a key that is the same however often it must be sent.

const RETRY_SECONDS = [1, 2, 4, 8, 15];
const SEND_TIMEOUT_MS = 120_000;

function newName() {
  const typed = typedName();
  // What was sent is sent again, also when it is the learner's name by now: the answer may have been lost.
  return typed === facts.fullName && typed !== draft.sentName ? "" : typed;
}

function typedName() {
  return find("#full-name")?.value.trim() ?? "";
}

function submissionForm() {
  const form = new FormData();
  form.append("face_image", draft.photos.face, "face.jpg");
  if (draft.photos.photo_id) form.append("photo_id_image", draft.photos.photo_id, "id.jpg");
  if (newName()) form.append("full_name", newName());
  const checkpoint = facts.checkpointLocation || facts.usageId;
  if (facts.courseKey && checkpoint) {
    form.append("course_key", facts.courseKey);
    form.append("checkpoint", checkpoint);
  }
  return form;
}

/** Resolves with the answer, whatever its status; rejects when there is none. */
function post(form, onProgress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/verify_student/submit-photos/");
    request.setRequestHeader("X-CSRFToken", token());
    request.setRequestHeader("Idempotency-Key", draft.sendKey);
    request.timeout = SEND_TIMEOUT_MS;
    request.upload.onprogress = ({ loaded, total }) => total && onProgress(Math.round((100 * loaded) / total));
    request.onload = () => (request.status >= 502 ? fail(request) : done(request));
    request.onerror = request.ontimeout = fail;
    request.send(form);
  });
}

async function sendPatiently(box) {
  const progress = find("progress", box);
  for (let tries = 0; ; tries++) {
    try {
      return await post(submissionForm(), (percent) => {
        progress.value = percent;
        // Read aloud at the quarters only.
        if (percent % 25 === 0) hint(find(".hint", box), say("sending", { percent }));
      });
    } catch {
      if (await isSignedOut()) return { responseURL: "" };
      const seconds = RETRY_SECONDS[tries];
      if (!seconds) return null;
      hint(find(".hint", box), say("send-again", { seconds }));
      await wait(seconds * 1000);
    }
  }
}

/** Whether we are sent to the sign-in page. It may lie on another site, and then a request there looks like a lost one. */
async function isSignedOut() {
  try {
    return (await fetch("/verify_student/status/", { redirect: "manual" })).type === "opaqueredirect";
  } catch {
    return false;
  }
}

/** Sends what the draft holds; `onSent` gets the receipt and the address to go to, if there is one. */
async function submit(box, button, onSent) {
  if (button.disabled) return;
  const [problem, progress] = [find(".problem", box), find("progress", box)];
  tell(problem);
  button.disabled = true;
  progress.hidden = false;
  const name = newName();
  if (draft.sentName !== undefined && draft.sentName !== name) draft.sendKey = newKey();
  Object.assign(draft, { sentName: name, typedName: typedName() });
  // After a reload the same is sent with the same key, and another name with another.
  await draft.save();
  let answer = await sendPatiently(box);
  if (answer?.status === 422) {
    // The key is that of another submission: this one needs its own.
    draft.sendKey = newKey();
    await draft.save();
    answer = await sendPatiently(box);
  }
  progress.hidden = true;
  hint(find(".hint", box), "");
  button.disabled = false;
  // A sign-in page that we were sent to may have our address in its own.
  const isThere = answer?.responseURL && new URL(answer.responseURL).pathname.endsWith("/submit-photos/");
  if (answer?.status === 200 && isThere) {
    if (name) track("edx.bi.user.full_name.changed");
    await draft.clear();
    return onSent(answer.getResponseHeader("Vouch-Receipt-Id"), addressOf(answer.responseText));
  }
  if (!answer) tell(problem, say("send-lost"), say("send-lost-next"));
  else if (!isThere) tell(problem, say("signed-out"), say("signed-out-next"));
  else tell(problem, say("send-failed"), [400, 413].includes(answer.status) ? answer.responseText : say("send-failed-next"));
  button.focus();
}

function addressOf(text) {
  try {
    return JSON.parse(text).url;
  } catch {
    return undefined;
  }
}
