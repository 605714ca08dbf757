const find = (id) => document.getElementById(id);
const [form, text, count, speak, stop] = ["form", "text", "count", "speak", "stop"].map(find);
const [status, problem, audio, hint] = ["status", "error", "audio", "empty"].map(find);

const BROKE_OFF = "The speech broke off on its way. Try again.";
const UNREACHABLE = "The server cannot be reached. Try again later.";
// for no sound at all; the server itself gives up sooner, and says why
const PATIENCE_MS = 45_000;

let patience = 0; // a timer, while we wait for sound

function show(state, message, error = "") {
  clearTimeout(patience);
  if (state === "waiting") patience = setTimeout(fail, PATIENCE_MS, BROKE_OFF);
  status.dataset.state = state;
  status.textContent = message;
  problem.textContent = error;
  problem.hidden = !error;
  stop.disabled = state === "idle";
  hint.hidden = audio.hasAttribute("src");
  audio.hidden = !hint.hidden;
}

function silence() {
  audio.removeAttribute("src"); // also tells the server that nobody listens any more
  audio.load();
}

function fail(reason) {
  silence();
  show("idle", "Not speaking.", reason);
}

// an audio element does not tell why it failed; the same address asked by hand does
async function reasonOf(url) {
  const control = new AbortController();
  try {
    const answer = await fetch(url, { signal: control.signal });
    if (answer.ok) return BROKE_OFF;
    const isOurs = answer.headers.get("Content-Type")?.startsWith("text/plain");
    return isOurs ? await answer.text() : `The server answered ${answer.status}.`;
  } catch {
    return UNREACHABLE;
  } finally {
    control.abort();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault(); // without JavaScript the form opens the audio itself
  audio.src = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  show("waiting", "Waiting for the first sound …");
  audio.play().catch(() => {}); // what goes wrong arrives at "error"
});

stop.addEventListener("click", () => {
  silence();
  show("idle", "Stopped.");
  speak.focus();
});

function countCharacters() {
  count.textContent = `${text.value.length} of ${text.maxLength} characters.`;
}

// Enter begins a new line, Ctrl+Enter speaks
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
text.addEventListener("input", countCharacters);
countCharacters(); // browsers keep a text when the page is loaded again

audio.addEventListener("playing", () => show("active", "Speaking."));
audio.addEventListener("pause", () => {
  if (audio.hasAttribute("src") && !audio.ended && !audio.error) show("paused", "Paused.");
});
audio.addEventListener("waiting", () => {
  if (audio.currentTime > 0) show("waiting", "Waiting for more sound …");
});
audio.addEventListener("ended", () => show("idle", "All is spoken."));
audio.addEventListener("error", async () => {
  const url = audio.getAttribute("src");
  if (!url) return; // we took it away ourselves
  const reason = await reasonOf(url);
  if (audio.getAttribute("src") === url) fail(reason); // else something else is spoken by now
});
