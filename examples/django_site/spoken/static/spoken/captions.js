const find = (id) => document.getElementById(id);
const [form, toggle, clear, language] = ["controls", "toggle", "clear", "language"].map(find);
const [status, problem, level, hint] = ["status", "error", "level", "empty"].map(find);
const [captions, log, final, partial] = ["captions", "log", "final", "partial"].map(find);

const MICROPHONE_PROBLEMS = {
  NotAllowedError: "The browser may not use the microphone. Allow it for this page, then try again.",
  NotFoundError: "No microphone was found. Plug one in, then try again.",
  NotReadableError: "The microphone is used by another program. Close that, then try again.",
};
const UNREACHABLE = "The server cannot be reached. Try again later.";
const GONE = "The connection to the server was lost. The captions so far are kept.";
// no processing: what browsers do to sound is made for calls between people, and loses words here
const SOUND = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
// how much audio may wait for a slow network before we stop: about 20 s
const MAX_WAITING_BYTES = 2_000_000;
// a server that works sends the last words, or an error, sooner
const LAST_WORDS_MS = 15_000;

let session = null; // the connection and the microphone while we listen

// -- display --------------------------------------------------------------------------------------

function show(state, text) {
  form.dataset.state = status.dataset.state = state;
  toggle.textContent = state === "idle" ? "Start listening" : "Stop listening";
  toggle.disabled = state === "stopping";
  language.disabled = state !== "idle";
  status.textContent = text;
  if (state !== "listening") showLevel(0);
}

function showLevel(peak) {
  level.value = Math.sqrt(peak); // perceived loudness, roughly
  level.style.setProperty("--level", `${100 * level.value}%`);
}

function showError(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

// keep the newest line visible, unless the reader has scrolled up
function change(edit) {
  const isAtEnd = captions.scrollHeight - captions.scrollTop - captions.clientHeight < 8;
  edit();
  clear.disabled = !(log.childElementCount || final.textContent || partial.textContent);
  hint.hidden = !clear.disabled;
  if (isAtEnd) captions.scrollTop = captions.scrollHeight;
}

function write(finalText, partialText) {
  change(() => {
    final.textContent = (final.textContent + finalText).trimStart();
    partial.textContent = partialText;
  });
}

// a screen reader reads the log: each line once, when it is complete
function endLine() {
  change(() => {
    const line = (final.textContent + partial.textContent).trim(); // also text not yet final
    final.textContent = partial.textContent = "";
    if (line) log.appendChild(document.createElement("p")).textContent = line;
  });
}

clear.addEventListener("click", () => {
  change(() => [log, final, partial].forEach((part) => part.replaceChildren()));
  toggle.focus();
});

// -- microphone and server ------------------------------------------------------------------------

async function openMicrophone() {
  if (!navigator.mediaDevices || !window.AudioWorkletNode) {
    throw new Error("The microphone only works on https:// pages and on localhost.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: SOUND });
  } catch (error) {
    throw new Error(MICROPHONE_PROBLEMS[error.name] ?? `The microphone: ${error.message}`);
  }
}

function openServer(rate) {
  const url = new URL(form.dataset.live, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams({ rate, language: language.value });
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onclose = () => reject(new Error(UNREACHABLE));
  });
}

function send(own, { audio, peak }) {
  if (own.stopping || own.socket.readyState !== WebSocket.OPEN) return;
  showLevel(peak);
  if (own.socket.bufferedAmount > MAX_WAITING_BYTES) {
    end(own, "The network is too slow for live captions.");
    return;
  }
  own.socket.send(audio);
}

function receive(own, message) {
  if (message.kind === "error") end(own, message.reason);
  else if (message.kind === "endpoint") endLine();
  else if (message.kind === "finished") end(own, "");
  else if (message.kind === undefined) write(message.final, message.partial);
}

async function open(own) {
  own.stream = await openMicrophone();
  own.context = new AudioContext();
  await own.context.audioWorklet.addModule(form.dataset.worklet).catch(() => {
    throw new Error(UNREACHABLE);
  });
  own.socket = await openServer(own.context.sampleRate);
}

async function start() {
  const own = { stopping: false };
  session = own;
  showError("");
  show("starting", "Waiting for the microphone …");
  try {
    await open(own);
  } catch (error) {
    end(own, error.message);
    return;
  }
  if (session !== own) {
    release(own); // stopped in the meantime
    return;
  }
  own.socket.onmessage = ({ data }) => receive(own, JSON.parse(data));
  own.socket.onclose = () => end(own, GONE);
  own.stream.getTracks()[0].onended = () => end(own, "The microphone was disconnected.");
  const node = new AudioWorkletNode(own.context, "microphone", { numberOfOutputs: 0 });
  node.port.onmessage = ({ data }) => send(own, data);
  own.context.createMediaStreamSource(own.stream).connect(node);
  show("listening", "Listening.");
}

function stop() {
  const own = session;
  if (own.socket?.readyState !== WebSocket.OPEN) {
    end(own, "");
    return;
  }
  own.stopping = true;
  own.socket.send("stop"); // the last words are still to come, then `finished`
  own.stream.getTracks().forEach((track) => track.stop());
  show("stopping", "Waiting for the last words …");
  setTimeout(end, LAST_WORDS_MS, own, GONE);
}

function end(own, error) {
  release(own);
  if (session !== own) return;
  session = null;
  endLine();
  showError(error);
  show("idle", "Not listening.");
}

function release(own) {
  if (own.socket) {
    own.socket.onclose = own.socket.onmessage = null;
    own.socket.close();
  }
  own.stream?.getTracks().forEach((track) => track.stop());
  if (own.context?.state !== "closed") own.context?.close();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (session) stop();
  else start();
});
