// A look at a picture before it is sent. It helps the learner; the server decides.

const SIDE_MAX = 1920;
const JPEG_QUALITY = 0.92;
const LOOK_WIDTH = 320;
const BRIGHTNESS_MIN = 60;
const BRIGHTNESS_MAX = 200;
// Variance of the Laplacian at that width; a photo out of focus has less.
const SHARPNESS_MIN = 45;
// Pixels of the longer side from which there is enough to compare, or to read.
const SIDE_MIN = { face: 480, photo_id: 1000 };

/** What is wrong with a picture: `dark`, `bright`, `small`, `blurry`, or nothing. */
function faultOf(source, width, height, kind) {
  const canvas = make("canvas", "", { width: LOOK_WIDTH, height: Math.max(3, Math.round((LOOK_WIDTH * height) / width)) });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const grey = greyOf(context.getImageData(0, 0, canvas.width, canvas.height).data);
  const brightness = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  if (brightness < BRIGHTNESS_MIN) return "dark";
  if (brightness > BRIGHTNESS_MAX) return "bright";
  if (Math.max(width, height) < SIDE_MIN[kind]) return "small";
  return sharpness(grey, canvas.width, canvas.height) < SHARPNESS_MIN ? "blurry" : "";
}

function greyOf(pixels) {
  const grey = new Float32Array(pixels.length / 4);
  for (let at = 0; at < grey.length; at++) {
    grey[at] = 0.299 * pixels[4 * at] + 0.587 * pixels[4 * at + 1] + 0.114 * pixels[4 * at + 2];
  }
  return grey;
}

function sharpness(grey, width, height) {
  let sum = 0;
  let squares = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const edge = grey[at - 1] + grey[at + 1] + grey[at - width] + grey[at + width] - 4 * grey[at];
      sum += edge;
      squares += edge * edge;
    }
  }
  const count = (width - 2) * (height - 2);
  return squares / count - (sum / count) ** 2;
}

/** The picture as a JPEG of at most 1920 pixels a side, without whatever else stood in its file. */
function jpegOf(source, width, height) {
  const scale = Math.min(1, SIDE_MAX / Math.max(width, height));
  const canvas = make("canvas", "", { width: Math.round(width * scale), height: Math.round(height * scale) });
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no blob"))), "image/jpeg", JPEG_QUALITY);
  });
}

/** Whether a file begins as a JPEG, PNG or WebP does, or as the photos of some phones, which some browsers read. */
async function isPicture(file) {
  const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  return /^(\xff\xd8\xff|\x89PNG|RIFF[^]{4}WEBP|[^]{4}ftyp(hei|mif))/.test(start);
}
