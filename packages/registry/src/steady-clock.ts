// A clock for deciding what is old: it never runs ahead of the time that really passed since it was made. When somebody sets the
// system's clock forward by a day, nothing becomes a day older.

/** Returns a function that tells the time in milliseconds since 1970. */
export function steadyClock(now: () => number, elapsed: () => number = () => performance.now()): () => number {
  let [wall, passed] = [now(), elapsed()];
  return () => {
    const [wallNow, passedNow] = [now(), elapsed()];
    const steady = wall + (passedNow - passed);
    // Set back: from now on that is the time.
    if (wallNow < steady) [wall, passed] = [wallNow, passedNow];
    return Math.min(wallNow, steady);
  };
}
