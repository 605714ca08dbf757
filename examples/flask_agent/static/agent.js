const find = (id) => document.getElementById(id);
const [form, toggle, interrupt, headset] = ["controls", "toggle", "interrupt", "headset"].map(find);
const [status, problem, talk, log, hint] = ["status", "error", "talk", "log", "empty"].map(find);
const [line, partial, typing, text, send] = ["line", "partial", "typing", "text", "send"].map(find);

const STATES = {
  idle: "Not connected.",
  starting: "Waiting for the microphone …",
  listening: "Listening.",
  thinking: "Thinking …",
  speaking: "Speaking. Just talk to interrupt.",
  stopping: "Ending …",
};
const MICROPHONE_PROBLEMS = {
  NotAllowedError: "The browser may not use the microphone. Allow it for this page, then try again.",
  NotFoundError: "No microphone was found. Plug one in, then try again.",
  NotReadableError: "The microphone is used by another program. Close that, then try again.",
};
const UNREACHABLE = "The server cannot be reached. Try again later.";
const GONE = "The connection to the server was lost.";
const VOICE_RATE = 24000; // what WebSocketAudio writes by default
// how much audio may wait for a slow network before we stop: about 20 s
const MAX_WAITING_BYTES = 2_000_000;
// a server that works has sent the last turn sooner
const LAST_TURN_MS = 15_000;

let session = null; // connection, microphone and loudspeaker while we talk

// -- display --------------------------------------------------------------------------------------

function show(state) {
  const isTalking = ["listening", "thinking", "speaking"].includes(state);
  form.dataset.state = status.dataset.state = state;
  status.textContent = STATES[state];
  toggle.textContent = state === "idle" ? "Start talking" : "End";
  toggle.disabled = state === "stopping";
  headset.disabled = state !== "idle";
  interrupt.disabled = state !== "speaking";
  text.disabled = send.disabled = !isTalking;
}

function showError(reason) {
  problem.textContent = reason;
  problem.hidden = !reason;
}

// keep the newest line visible, unless the reader has scrolled up
function change(edit) {
  const isAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 8;
  edit();
  line.hidden = !partial.textContent;
  hint.hidden = log.childElementCount > 0 || !line.hidden;
  if (isAtEnd) talk.scrollTop = talk.scrollHeight;
}

function addLine(who, name, words, isCut = false) {
  if (!words && !isCut) return;
  const entry = log.appendChild(document.createElement("p"));
  entry.className = who;
  entry.appendChild(document.createElement("b")).textContent = name;
  entry.append(` ${words}`);
  if (isCut) entry.appendChild(document.createElement("i")).textContent = " … interrupted";
}

function showTurn({ user, agent, interrupted }) {
  change(() => {
    if (user.endsWith(partial.textContent.trim())) partial.textContent = "";
    addLine("user", "You", user);
    addLine("agent", "Agent", agent, interrupted);
  });
}

// -- microphone, loudspeaker, server --------------------------------------------------------------

async function openMicrophone() {
  if (!navigator.mediaDevices || !window.AudioWorkletNode) {
    throw new Error("The microphone only works on https:// pages and on localhost.");
  }
  // a loudspeaker must not interrupt the agent with its own words; what else browsers do to sound
  // comes with that, and costs words
  const process = !headset.checked;
  const sound = { echoCancellation: process, noiseSuppression: process, autoGainControl: process };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...sound } });
  } catch (error) {
    throw new Error(MICROPHONE_PROBLEMS[error.name] ?? `The microphone: ${error.message}`);
  }
}

async function openContext(own, options) {
  const context = new AudioContext(options);
  own.contexts.push(context);
  await context.audioWorklet.addModule(form.dataset.worklets).catch(() => {
    throw new Error(UNREACHABLE);
  });
  await context.resume();
  return context;
}

function openServer(own, rate) {
  const url = new URL(form.dataset.live, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams({ rate });
  own.socket = new WebSocket(url);
  own.socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    own.socket.onopen = resolve;
    own.socket.onclose = () => reject(new Error(UNREACHABLE));
  });
}

function tell(own, event, fields = {}) {
  if (own?.socket?.readyState === WebSocket.OPEN) {
    own.socket.send(JSON.stringify({ event, ...fields }));
  }
}

function hear(own, audio) {
  if (own.stopping || own.socket.readyState !== WebSocket.OPEN) return;
  if (own.socket.bufferedAmount > MAX_WAITING_BYTES) end(own, "The network is too slow to talk.");
  else own.socket.send(audio);
}

function receive(own, data) {
  if (typeof data !== "string") {
    own.player.port.postMessage(data, [data]);
    return;
  }
  const message = JSON.parse(data);
  if (message.event === "clear") own.player.port.postMessage("clear");
  else if (message.event === "turn") showTurn(message);
  else if (message.event === "partial") change(() => (partial.textContent = message.text));
  else if (message.event === "error") end(own, message.reason);
  else if (message.event === "state" && message.state in STATES && !own.stopping) {
    show(message.state);
  }
}

async function open(own) {
  own.stream = await openMicrophone();
  const input = await openContext(own, {});
  const output = await openContext(own, { sampleRate: VOICE_RATE });
  await openServer(own, input.sampleRate);
  own.player = new AudioWorkletNode(output, "player", { numberOfInputs: 0 });
  own.player.port.onmessage = ({ data }) => tell(own, data.event, { ms: data.ms });
  own.player.connect(output.destination);
  const microphone = new AudioWorkletNode(input, "microphone", { numberOfOutputs: 0 });
  microphone.port.onmessage = ({ data }) => hear(own, data);
  input.createMediaStreamSource(own.stream).connect(microphone);
}

async function start() {
  const own = { contexts: [], stopping: false };
  session = own;
  showError("");
  show("starting");
  try {
    await open(own);
  } catch (error) {
    end(own, error.message);
    return;
  }
  if (session !== own) {
    release(own); // ended in the meantime
    return;
  }
  own.socket.onmessage = ({ data }) => receive(own, data);
  own.socket.onclose = () => end(own, own.stopping ? "" : GONE);
  own.stream.getTracks()[0].onended = () => end(own, "The microphone was disconnected.");
}

function stop() {
  const own = session;
  if (own.socket?.readyState !== WebSocket.OPEN || !own.player) {
    end(own, "");
    return;
  }
  own.stopping = true;
  tell(own, "stop"); // the last turn is still to come, then the server closes
  own.stream.getTracks().forEach((track) => track.stop());
  own.player.port.postMessage("clear");
  show("stopping");
  setTimeout(end, LAST_TURN_MS, own, GONE);
}

function end(own, reason) {
  release(own);
  if (session !== own) return;
  session = null;
  change(() => {
    addLine("user", "You", partial.textContent.trim());
    partial.textContent = "";
  });
  showError(reason);
  show("idle");
}

function release(own) {
  if (own.socket) {
    own.socket.onclose = own.socket.onmessage = null;
    own.socket.close();
  }
  own.stream?.getTracks().forEach((track) => track.stop());
  own.contexts.forEach((context) => context.state !== "closed" && context.close());
}

// -- controls -------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (session) stop();
  else start();
});

interrupt.addEventListener("click", () => {
  tell(session, "interrupt");
  toggle.focus(); // this button is about to be disabled
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !interrupt.disabled) tell(session, "interrupt");
});

typing.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (words) tell(session, "typed", { text: words });
  text.value = "";
});

show("idle"); // browsers keep the state of controls when the page is reloaded
