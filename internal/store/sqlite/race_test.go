//go:build race

package sqlite

// raceDetector says that this binary is instrumented: then SQLite is a hundred times
// slower, and what is said about time does not hold.
const raceDetector = true
