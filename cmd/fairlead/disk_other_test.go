//go:build !linux

package main

const diskRole = "fairlead-on-small-disk"

// Only Linux lets a test mount a disk without a password.
func onSmallDisk() int { return exitFailed }
