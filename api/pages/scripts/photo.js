// Taking one photo, with the camera or from a file: off, live, taken.

const HINT_INTERVAL_MS = 1000;
const WARNINGS_MAX = 2;

class Photo {
  constructor(root, onUse) {
    this.root = root;
    this.kind = root.dataset.kind;
    this.video = find("video", root);
    this.hint = find(".hint", root);
    this.problem = find(".problem", root);
    this.image = find("img", root);
    this.file = find("input", root);
    this.cameras = find(".cameras", root);
    this.warnings = 0;
    this.openings = 0;
    const acts = { open: () => this.open(), shoot: () => this.shoot(), retake: () => this.retake(), use: onUse };
    for (const button of findAll("[data-do]", root)) button.onclick = acts[button.dataset.do];
    this.file.onchange = () => this.choose(this.file.files[0]);
    find("select", this.cameras).onchange = ({ target }) => this.open(target.value);
    document.addEventListener("visibilitychange", () => document.hidden && this.pause("camera-paused"));
    if (draft.photos[this.kind]) this.show(draft.photos[this.kind]);
  }

  set state(state) {
    this.root.dataset.state = state;
    this.cameras.hidden = state !== "live" || find("select", this.cameras).options.length < 2;
    if (state !== "taken") delete this.root.dataset.doubt;
  }

  button(name) {
    return find(`[data-do=${name}]`, this.root);
  }

  async open(deviceId) {
    this.stop();
    this.deviceId = deviceId ?? this.deviceId;
    tell(this.problem);
    hint(this.hint, say("camera-allow"));
    const opening = ++this.openings;
    try {
      const stream = await openCamera(this.kind, this.deviceId);
      // Asked again meanwhile: the later one is kept.
      if (opening !== this.openings) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      this.stream.getVideoTracks()[0].onended = () => this.lose("ended");
      this.video.srcObject = this.stream;
      await this.video.play();
      await this.offerCameras();
      this.live();
    } catch (error) {
      this.lose(cameraFault(error));
    }
  }

  live() {
    if (document.hidden || this.root.closest(".step").hidden) return this.pause("camera-paused");
    this.isFromCamera = true;
    this.state = "live";
    hint(this.hint, say("camera-ready"));
    this.button("shoot").focus();
    this.timer = setInterval(() => this.look(), HINT_INTERVAL_MS);
  }

  async offerCameras() {
    const used = this.stream.getVideoTracks()[0].getSettings().deviceId;
    const cameras = await listCameras();
    const options = cameras.map((camera, index) => new Option(camera.label || index + 1, camera.deviceId, false, camera.deviceId === used));
    find("select", this.cameras).replaceChildren(...options);
  }

  look() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (width) hint(this.hint, say(`live-${faultOf(this.video, width, height, this.kind) || "good"}`));
  }

  stop() {
    clearInterval(this.timer);
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.video.srcObject = this.stream = null;
  }

  /** The camera is let go while nobody looks. */
  pause(key) {
    if (!this.stream) return;
    this.stop();
    this.state = "off";
    hint(this.hint, key ? say(key) : "");
  }

  /** There is no camera; an upload is always possible. */
  lose(fault) {
    this.stop();
    this.state = "off";
    hint(this.hint, "");
    tell(this.problem, say(`camera-${fault}`), say(`camera-${fault}-next`), say("camera-or-upload"));
    this.button("open").textContent = say("camera-again");
  }

  async shoot() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !this.stream) return;
    new Audio(document.body.dataset.sound).play().catch(() => {});
    await this.judge(this.video, width, height);
  }

  async choose(file) {
    tell(this.problem);
    if (!file) return;
    this.stop();
    this.isFromCamera = false;
    try {
      if (!(await isPicture(file))) throw new TypeError("no picture");
      // The picture is turned as its file says.
      const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
      await this.judge(picture, picture.width, picture.height);
      picture.close();
    } catch {
      this.state = draft.photos[this.kind] ? "taken" : "off";
      hint(this.hint, "");
      tell(this.problem, say("file-wrong"), say("file-wrong-next"));
    }
    this.file.value = "";
  }

  /** Warns twice, and takes the third as it is: a poor camera must not lock anybody out. */
  async judge(source, width, height) {
    const fault = faultOf(source, width, height, this.kind);
    const making = jpegOf(source, width, height);
    this.stop();
    const photo = await making;
    this.show(photo);
    track(this.kind === "face" ? "edx.bi.user.face_image.captured" : "edx.bi.user.identification_image.captured");
    if (fault && this.warnings < WARNINGS_MAX) {
      this.warnings += 1;
      this.root.dataset.doubt = fault;
      hint(this.hint, `${say(`photo-${fault}`)} ${say(`warned-${this.warnings}`)}`);
      return this.button("retake").focus();
    }
    await draft.set(this.kind, photo);
    hint(this.hint, say(fault ? "photo-passed" : "photo-taken"));
    this.button("use").focus();
  }

  show(photo) {
    URL.revokeObjectURL(this.image.src);
    this.image.src = URL.createObjectURL(photo);
    tell(this.problem);
    hint(this.hint, "");
    delete this.root.dataset.doubt;
    this.state = "taken";
  }

  async retake() {
    track("edx.bi.user.images.retaken");
    this.state = "off";
    hint(this.hint, "");
    await draft.set(this.kind, null);
    if (this.isFromCamera) await this.open();
    else this.button("open").focus();
  }
}
