// Live captions in the shape of the programs of late 2025: captions.py in JavaScript, with `ws`.
//
// node captions.mjs FILE [pcm] [one_way | two_way]

import fs from "node:fs";
import WebSocket from "ws";

const URL = "wss://stt-rt.soniox.com/transcribe-websocket";
const CHUNK_BYTES = 3840;
const CHUNK_MS = 120;

const TRANSLATIONS = {
  one_way: { type: "one_way", target_language: "es" },
  two_way: { type: "two_way", language_a: "en", language_b: "es" },
};

function startMessage(options) {
  const message = {
    api_key: process.env.SONIOX_API_KEY,
    model: "stt-rt-v3",
    language_hints: ["en", "es"],
    enable_language_identification: true,
    enable_speaker_diarization: true,
    enable_endpoint_detection: true,
    context: {
      general: [{ key: "domain", value: "Astronomy" }],
      text: "The evening's talk is about comets and how their tails come about.",
      terms: ["coma", "perihelion"],
      translation_terms: [{ source: "comet", target: "cometa" }],
    },
    audio_format: "auto",
  };
  if (options.includes("pcm")) {
    Object.assign(message, { audio_format: "pcm_s16le", sample_rate: 16000, num_channels: 1 });
  }
  for (const option of options.filter((name) => name in TRANSLATIONS)) {
    message.translation = TRANSLATIONS[option];
  }
  return message;
}

async function sendAudio(path, ws) {
  for await (const chunk of fs.createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    ws.send(chunk);
    await new Promise((resolve) => setTimeout(resolve, CHUNK_MS));
  }
  ws.send(""); // a text message without text ends the audio
}

function show(tokens) {
  const parts = [];
  let speaker, language;
  for (const token of tokens) {
    if (token.speaker && token.speaker !== speaker) {
      speaker = token.speaker;
      language = undefined;
      parts.push(`\nSpeaker ${speaker}:`);
    }
    if (token.language && token.language !== language) {
      language = token.language;
      const translated = token.translation_status === "translation";
      parts.push(`\n${translated ? "[Translation] " : ""}[${language}] `);
    }
    parts.push(token.text);
  }
  return parts.join("");
}

const [path, ...options] = process.argv.slice(2);
const final = [];
const ws = new WebSocket(URL);

ws.on("open", () => {
  ws.send(JSON.stringify(startMessage(options)));
  sendAudio(path, ws);
});

ws.on("message", (data) => {
  const response = JSON.parse(data.toString());
  if (response.error_code) {
    console.log(`Error: ${response.error_code} ${response.error_message}`);
    ws.close();
    return;
  }
  const tokens = (response.tokens ?? []).filter((token) => token.text);
  final.push(...tokens.filter((token) => token.is_final));
  console.log(show([...final, ...tokens.filter((token) => !token.is_final)]));
  if (response.finished) {
    console.log("Session finished.");
    ws.close();
  }
});

ws.on("error", (error) => console.log(`Error: ${error.message}`));
