//go:build race

package sqlite

func init() { raceDetector = true }
