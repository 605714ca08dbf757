const find = (id) => document.getElementById(id);
const [form, text, count, speak, stop] = ["form", "text", "count", "speak", "stop"].map(find);
const [status, problem, audio] = ["status", "error", "audio"].map(find);

function show(message, error = "") {
  status.textContent = message;
  problem.textContent = error;
  problem.hidden = !error;
}

function silence() {
  audio.removeAttribute("src"); // also tells the server that nobody listens any more
  audio.load();
  stop.disabled = true;
}

// an audio element does not tell why it failed; the same address asked by hand does
async function reasonOf(url) {
  const control = new AbortController();
  try {
    const answer = await fetch(url, { signal: control.signal });
    if (answer.ok) return "The browser cannot play this audio.";
    return (await answer.text()) || `The server answered ${answer.status}.`;
  } catch {
    return "The server cannot be reached. Try again later.";
  } finally {
    control.abort();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault(); // without JavaScript the form opens the audio itself
  show("Waiting for the first sound …");
  audio.src = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  stop.disabled = false;
  audio.play().catch(() => {}); // what goes wrong arrives at "error"
});

stop.addEventListener("click", () => {
  silence();
  show("Stopped.");
  speak.focus();
});

text.addEventListener("input", () => {
  count.textContent = `${text.value.length} of ${text.maxLength} characters.`;
});

// Enter begins a new line, Ctrl+Enter speaks
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

audio.addEventListener("playing", () => show("Speaking."));
audio.addEventListener("waiting", () => show("Waiting for more sound …"));
audio.addEventListener("ended", () => {
  stop.disabled = true;
  show("All is spoken.");
});
audio.addEventListener("error", async () => {
  if (!audio.hasAttribute("src")) return; // we took it away ourselves
  const url = audio.src;
  show("Not speaking.", await reasonOf(url));
  stop.disabled = true;
});
