// These run on the audio thread: the microphone's samples to the page, the agent's to the ears.

// all machines with browsers are little-endian, as pcm_s16le requires
class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Int16Array(Math.round(sampleRate / 20)); // 50 ms
    this.count = 0;
  }

  process([channels]) {
    for (const value of channels[0] ?? []) {
      const clipped = Math.max(-1, Math.min(1, value));
      // restores the exact samples of a 16-bit microphone
      this.samples[this.count] = Math.round(clipped * (clipped < 0 ? 32768 : 32767));
      this.count += 1;
      if (this.count === this.samples.length) {
        const audio = this.samples.slice().buffer;
        this.port.postMessage(audio, [audio]);
        this.count = 0;
      }
    }
    return true;
  }
}

// Plays what it gets; reports how much it has played ten times a second, and when it runs out.
class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.waiting = [];
    this.played = this.reported = 0; // samples
    this.port.onmessage = ({ data }) => {
      if (data === "clear") {
        this.waiting = [];
        this.report("cleared");
      } else {
        this.waiting.push(new Int16Array(data));
      }
    };
  }

  report(event) {
    this.reported = this.played;
    this.port.postMessage({ event, ms: (this.played * 1000) / sampleRate });
  }

  process(_, [[output]]) {
    let at = 0;
    while (at < output.length && this.waiting.length) {
      const chunk = this.waiting[0];
      const size = Math.min(chunk.length, output.length - at);
      for (let i = 0; i < size; i += 1) output[at + i] = chunk[i] / 32768;
      at += size;
      if (size === chunk.length) this.waiting.shift();
      else this.waiting[0] = chunk.subarray(size);
    }
    this.played += at;
    const isOver = this.played > this.reported && !this.waiting.length;
    if (isOver || this.played - this.reported >= sampleRate / 10) this.report("played");
    return true;
  }
}

registerProcessor("microphone", Microphone);
registerProcessor("player", Player);
