// Photos that are not sent yet. They outlive a reload for a day at most, encrypted with a key that the browser
// does not give away, under a name that another learner on this machine does not have.

const DRAFT_LIFETIME_MS = 24 * 60 * 60 * 1000;

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const draft = {
  photos: {},
  sendKey: newKey(),
  step: "",
  typedName: "",
  isSent: false,
  name: [document.body.dataset.draftKey, page, facts.courseKey, facts.usageId || facts.checkpointLocation].join(" "),
  saving: Promise.resolve(),

  hasPhotos() {
    return Object.keys(this.photos).length > 0;
  },

  /** Takes up what was left here before; without a store everything works but for a reload. */
  async load() {
    try {
      await inStore("readwrite", forgetOld);
      const found = await inStore("readonly", (store) => store.get(this.name));
      if (!found) return;
      for (const [kind, { iv, sealed }] of Object.entries(found.photos)) {
        const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, found.secret, sealed);
        this.photos[kind] = new Blob([plain], { type: "image/jpeg" });
      }
      if (found.names) {
        const { iv, sealed } = found.names;
        const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, found.secret, sealed);
        Object.assign(this, JSON.parse(new TextDecoder().decode(plain)));
      }
      Object.assign(this, { secret: found.secret, since: found.since, sendKey: found.sendKey, step: found.step });
    } catch {
      this.photos = {};
    }
  },

  /** Another photo is another submission, and so has another key. */
  set(kind, photo) {
    if (photo) this.photos[kind] = photo;
    else delete this.photos[kind];
    this.sendKey = newKey();
    return this.save();
  },

  at(step) {
    this.step = step;
    return this.hasPhotos() ? this.save() : this.saving;
  },

  save() {
    this.saving = this.saving.then(() => this.write()).catch(() => {});
    return this.saving;
  },

  async write() {
    if (this.isSent) return;
    if (!this.secret) this.secret = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const seal = async (plain) => {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      return { iv, sealed: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.secret, plain) };
    };
    const photos = {};
    for (const [kind, photo] of Object.entries(this.photos)) photos[kind] = await seal(await photo.arrayBuffer());
    this.since ??= Date.now();
    const { secret, since, sendKey, step, typedName, sentName } = this;
    const names = await seal(new TextEncoder().encode(JSON.stringify({ typedName, sentName })));
    await inStore("readwrite", (store) => store.put({ secret, since, sendKey, step, names, photos }, this.name));
  },

  /** The photos are sent: nothing of them stays here. */
  async clear() {
    this.isSent = true;
    this.photos = {};
    await this.saving;
    await inStore("readwrite", (store) => store.delete(this.name)).catch(() => {});
  },
};

function inStore(mode, act) {
  return new Promise((done, fail) => {
    const opening = indexedDB.open("vouch", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("drafts");
    opening.onerror = () => fail(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction("drafts", mode);
      const asked = act(transaction.objectStore("drafts"));
      transaction.oncomplete = () => { database.close(); done(asked?.result); };
      transaction.onabort = () => { database.close(); fail(transaction.error); };
    };
  });
}

function forgetOld(store) {
  store.openCursor().onsuccess = ({ target: { result: cursor } }) => {
    if (!cursor) return;
    if (!(Date.now() - cursor.value.since < DRAFT_LIFETIME_MS)) cursor.delete();
    cursor.continue();
  };
}

addEventListener("beforeunload", (event) => {
  if (draft.hasPhotos() && !draft.isSent) event.preventDefault();
});
