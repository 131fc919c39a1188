// Rates from counters: the difference of two readings by the time between them.

export class Rates {
  /// Readings older than `seconds` are not looked at. Open vSwitch writes down the counters of interfaces only every 5 s:
  /// over two such spans a steady stream shows steadily.
  constructor(seconds) {
    this.window = seconds * 1000;
    this.series = new Map(); // key → [[time, value], …], oldest first
  }
  add(key, value, time = performance.now()) {
    let readings = this.series.get(key);
    if (!readings) this.series.set(key, (readings = []));
    // A counter that went back began anew: with the flow, or the interface.
    if (readings.length > 0 && value < readings.at(-1)[1]) readings.length = 0;
    readings.push([time, value]);
    while (readings.length > 2 && time - readings[1][0] >= this.window) readings.shift();
  }
  /// A second; null before the second reading.
  of(key) {
    const readings = this.series.get(key);
    if (!readings || readings.length < 2) return null;
    const [from, to] = [readings[0], readings.at(-1)];
    return to[0] > from[0] ? ((to[1] - from[1]) * 1000) / (to[0] - from[0]) : null;
  }
  /// Forgets what was not read at `time`.
  keepOnly(time) {
    for (const [key, readings] of this.series) if (readings.at(-1)[0] !== time) this.series.delete(key);
  }
}
