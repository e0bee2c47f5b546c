// The camera. It is asked for on a click only, and it is let go as soon as it is not needed.

// The errors of `getUserMedia` and what they mean to a learner; each has a text and a next step of its own.
const CAMERA_FAULTS = {
  NotAllowedError: "denied",
  NotFoundError: "none",
  NotReadableError: "busy",
  AbortError: "busy",
  OverconstrainedError: "strict",
  SecurityError: "insecure",
};

function cameraFault(error) {
  return CAMERA_FAULTS[error.name] ?? "busy";
}

async function openCamera(kind, deviceId) {
  const devices = navigator.mediaDevices;
  if (!devices?.getUserMedia) throw new DOMException("no camera here", "SecurityError");
  const wanted = deviceId ? { deviceId: { ideal: deviceId } } : { facingMode: { ideal: kind === "face" ? "user" : "environment" } };
  const video = { ...wanted, width: { ideal: 1920 }, height: { ideal: 1440 } };
  try {
    return await devices.getUserMedia({ video });
  } catch (error) {
    if (error.name !== "OverconstrainedError") throw error;
    return devices.getUserMedia({ video: true });
  }
}

async function listCameras() {
  const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  return all.filter((device) => device.kind === "videoinput" && device.deviceId);
}
