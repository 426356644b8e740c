// The version that every program of this repository has.

/** Of package.json; a test compares. */
export const VERSION = "0.1.0";
