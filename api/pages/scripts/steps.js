// One step at a time, forth and back, without losing anything.

const steps = findAll(".step").map((section) => section.id);
const last = steps[steps.length - 1];
const title = document.title;
const taking = {};
let current = "";
// Where a photo that is changed from the review goes back to.
let isChanging = false;

const stepElement = (name) => document.getElementById(name);

/** Which step can be shown when this one is asked for. */
function allowed(name) {
  if (draft.isSent) return last;
  if (name === "review-photos-step" && !draft.photos.face) return "face-photo-step";
  if (name === "review-photos-step" && !draft.photos.photo_id) return "id-photo-step";
  return steps.includes(name) ? name : steps[0];
}

function showStep(asked, { isMove = true } = {}) {
  const name = allowed(asked);
  for (const photo of Object.values(taking)) photo.pause();
  for (const step of steps) stepElement(step).hidden = step !== name;
  const number = steps.indexOf(name);
  findAll(".progress li").forEach((item, index) => {
    item.classList.toggle("done", index < number);
    if (index === number) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
  if (steps.length > 1 && find(".where")) {
    find(".where").textContent = say("where", { step: number + 1, steps: steps.length });
    document.title = `${find("h2", stepElement(name)).textContent} · ${title}`;
  }
  current = name;
  if (name === "review-photos-step") fillReview();
  if (!draft.isSent) draft.at(name);
  if (isMove) {
    find("h2", stepElement(name))?.focus();
    scrollTo(0, 0);
  }
  if (name !== "reverify-success-step") trackPage(name.replaceAll("-", "_"));
}

function goTo(name) {
  history.pushState({ step: name }, "");
  showStep(name);
}

function goNext() {
  const next = isChanging ? "review-photos-step" : steps[Math.min(steps.indexOf(current) + 1, steps.length - 1)];
  isChanging = false;
  goTo(next);
}

function goBack() {
  isChanging = false;
  goTo(steps[Math.max(steps.indexOf(current) - 1, 0)]);
}

function fillReview() {
  for (const kind of ["face", "photo_id"]) {
    const image = document.getElementById(`review-${kind}`);
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(draft.photos[kind]);
  }
}

function sent(receipt, address) {
  if (address) return location.assign(address);
  // What stood there about the former photos is over.
  for (const note of findAll(".former")) note.hidden = true;
  showStep(last);
  watchStanding(find(".standing", stepElement(last)), receipt);
}

function use(root) {
  if (page === "incourse-reverify") submit(find(".sending"), find("[data-do=use]", root), sent);
  else goNext();
}

function startStep(name) {
  const step = stepElement(name);
  const photo = find(".photo", step);
  if (photo) taking[photo.dataset.kind] = new Photo(photo, () => use(photo));
  const back = find(".turn [data-do=back]", step);
  const before = steps[steps.indexOf(name) - 1];
  if (back) {
    back.onclick = goBack;
    find(".turn", step).hidden = !before || before.startsWith("payment") || before.startsWith("make");
  }
  if (name === "make-payment-step") startPayment(step);
  if (name === "payment-confirmation-step" && facts.currentStep === name) startConfirmation(step);
  if (name === "review-photos-step") startReview(step);
}

function startReview(step) {
  const button = find("#submit-photos", step);
  button.onclick = () => submit(find(".sending", step), button, sent);
  for (const change of findAll("[data-change]", step)) {
    change.onclick = async () => {
      isChanging = true;
      goTo(change.dataset.change === "face" ? "face-photo-step" : "id-photo-step");
    };
  }
}

async function start() {
  if (page === "submission-status") watchStanding(find(".standing"));
  if (steps.length) await startSteps();
  document.documentElement.dataset.ready = "yes";
}

async function startSteps() {
  const first = facts.currentStep || steps[0];
  if (steps.includes("face-photo-step")) await draft.load();
  steps.forEach(startStep);
  showTypedName();
  const isResumed = first === "face-photo-step" && draft.hasPhotos() && draft.step;
  const begin = isResumed ? allowed(draft.step) : first;
  history.replaceState({ step: begin }, "");
  showStep(begin, { isMove: Boolean(isResumed) });
  addEventListener("popstate", ({ state }) => state?.step && showStep(state.step));
}

/** The name that was typed before a reload stands there again, to be seen. */
function showTypedName() {
  const field = find("#full-name");
  if (!field || !draft.typedName) return;
  field.value = draft.typedName;
  field.closest("details").open = true;
}

// Buttons that were pressed before the page was left must work when somebody comes back to it.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

start();
