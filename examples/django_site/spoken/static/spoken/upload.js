const find = (id) => document.getElementById(id);
const [form, file, language] = ["upload", "file", "upload-language"].map(find);
const [send, cancel] = ["send", "cancel"].map(find);
const [status, problem, result] = ["upload-status", "upload-error", "result"].map(find);
const [player, cues, download] = ["player", "cues", "download"].map(find);

const UNREACHABLE = "The server cannot be reached. Try again later.";

let request = null; // the upload, until its captions have come
let urls = []; // of the recording and of its captions, which stay in the browser

// -- display --------------------------------------------------------------------------------------

function show(state, text, error = "") {
  form.dataset.state = status.dataset.state = state;
  file.disabled = language.disabled = send.disabled = state !== "idle";
  cancel.disabled = state !== "uploading"; // what has arrived is transcribed
  status.textContent = text;
  problem.textContent = error;
  problem.hidden = !error;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function urlOf(blob) {
  urls.push(URL.createObjectURL(blob));
  return urls.at(-1);
}

function forget() {
  result.hidden = true;
  player.removeAttribute("src");
  player.replaceChildren();
  cues.replaceChildren();
  urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
}

// a caption is a button that plays from there; the one being spoken is marked
function addCue(cue) {
  const button = document.createElement("button");
  button.type = "button";
  button.appendChild(document.createElement("time")).textContent = clock(cue.startTime);
  button.appendChild(document.createElement("span")).append(cue.getCueAsHTML());
  button.addEventListener("click", () => {
    player.currentTime = cue.startTime;
    player.play().catch(() => {}); // not every browser plays every format
  });
  cue.onenter = () => button.setAttribute("aria-current", "true");
  cue.onexit = () => button.removeAttribute("aria-current");
  cues.appendChild(document.createElement("li")).append(button);
}

// the browser itself reads the captions, as those of the recording
function showCaptions(recording, vtt) {
  const captions = urlOf(new Blob([vtt], { type: "text/vtt" }));
  const track = document.createElement("track");
  track.kind = "captions";
  track.src = captions;
  track.onload = () => {
    [...track.track.cues].forEach(addCue);
    const count = cues.childElementCount;
    result.hidden = false;
    show("idle", count ? `Captions: ${count}.` : "No words were heard.");
  };
  track.onerror = () => fail("No captions.", "The captions cannot be read.");
  player.src = urlOf(recording);
  player.append(track);
  track.track.mode = "hidden"; // loads it
  download.href = captions;
  download.download = `${recording.name.replace(/\.[^.]*$/, "")}.vtt`;
}

// -- server ---------------------------------------------------------------------------------------

function finish(recording) {
  const { status: code, response } = request;
  request = null;
  if (code === 200 && response) showCaptions(recording, response.vtt);
  else show("idle", "No captions.", response?.error ?? `The server answered ${code}.`);
}

function fail(text, error) {
  request = null;
  show("idle", text, error);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const recording = file.files[0];
  const fields = new FormData(form); // before the controls are disabled
  forget();
  request = new XMLHttpRequest(); // unlike fetch, it knows how much has been sent
  request.open("POST", form.action);
  request.responseType = "json";
  request.upload.onprogress = ({ loaded, total }) => {
    status.textContent = `Uploading … ${Math.floor((100 * loaded) / total)} %`;
  };
  request.upload.onload = () => show("transcribing", "Transcribing …");
  request.onload = () => finish(recording);
  request.onerror = () => fail("No captions.", UNREACHABLE);
  request.onabort = () => fail("Cancelled.", "");
  show("uploading", "Uploading …");
  request.send(fields);
});

cancel.addEventListener("click", () => {
  request.abort();
  send.focus(); // this button is disabled now
});
