const find = (id) => document.getElementById(id);
const [form, text, count, speak, stop] = ["form", "text", "count", "speak", "stop"].map(find);
const [status, problem, audio, hint] = ["status", "error", "audio", "empty"].map(find);

const CUT_OFF = "The speech was cut off. Try again.";
const UNREACHABLE = "The server cannot be reached. Try again later.";
// limit for no sound at all; the server itself gives up sooner, and gives a reason
const TIMEOUT_MS = 45_000;

let timer = 0; // runs while we wait for sound

function show(state, message, error = "") {
  clearTimeout(timer);
  if (state === "waiting") timer = setTimeout(fail, TIMEOUT_MS, CUT_OFF);
  status.dataset.state = state;
  status.textContent = message;
  problem.textContent = error;
  problem.hidden = !error;
  stop.disabled = state === "idle";
  hint.hidden = audio.hasAttribute("src");
  audio.hidden = !hint.hidden;
}

function silence() {
  audio.removeAttribute("src"); // also disconnects from the server
  audio.load();
}

function fail(reason) {
  silence();
  show("idle", "Not speaking.", reason);
}

// an audio element does not say why it failed; fetching the same URL does
async function reasonOf(url) {
  const control = new AbortController();
  try {
    const answer = await fetch(url, { signal: control.signal });
    if (answer.ok) return CUT_OFF;
    const isOurs = answer.headers.get("Content-Type")?.startsWith("text/plain");
    return isOurs ? await answer.text() : `The server answered ${answer.status}.`;
  } catch {
    return UNREACHABLE;
  } finally {
    control.abort();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault(); // without JavaScript the form opens the audio directly
  audio.src = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  show("waiting", "Waiting for the first sound …");
  audio.play().catch(() => {}); // failures arrive as "error" events
});

stop.addEventListener("click", () => {
  silence();
  show("idle", "Stopped.");
  speak.focus();
});

function countCharacters() {
  count.textContent = `${text.value.length} of ${text.maxLength} characters.`;
}

// Enter starts a new line, Ctrl+Enter speaks
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
text.addEventListener("input", countCharacters);
countCharacters(); // browsers keep the text when the page is reloaded

audio.addEventListener("playing", () => show("active", "Speaking."));
audio.addEventListener("pause", () => {
  if (audio.hasAttribute("src") && !audio.ended && !audio.error) show("paused", "Paused.");
});
audio.addEventListener("waiting", () => {
  if (audio.currentTime > 0) show("waiting", "Waiting for more sound …");
});
audio.addEventListener("ended", () => show("idle", "Finished."));
audio.addEventListener("error", async () => {
  const url = audio.getAttribute("src");
  if (!url) return; // we removed it ourselves
  const reason = await reasonOf(url);
  if (audio.getAttribute("src") === url) fail(reason); // else another text is spoken by now
});
