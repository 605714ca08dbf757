// Runs on the audio thread: converts the microphone's audio to 16-bit samples, 100 ms at a time.
class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Int16Array(Math.round(sampleRate / 10));
    this.count = 0;
    this.peak = 0;
  }

  process([channels]) {
    const input = channels[0] ?? [];
    for (const value of input) {
      this.peak = Math.max(this.peak, Math.abs(value));
      const clipped = Math.max(-1, Math.min(1, value));
      // restores the exact samples of a 16-bit microphone
      this.samples[this.count] = Math.round(clipped * (clipped < 0 ? 32768 : 32767));
      this.count += 1;
      if (this.count === this.samples.length) this.flush();
    }
    return true;
  }

  flush() {
    // all machines with browsers are little-endian, as pcm_s16le requires
    const audio = this.samples.slice().buffer;
    this.port.postMessage({ audio, peak: this.peak }, [audio]);
    this.count = 0;
    this.peak = 0;
  }
}

registerProcessor("microphone", Microphone);
