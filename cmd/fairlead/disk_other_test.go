//go:build !linux

package main

const diskRole = "fairlead-on-small-disk"

// Only Linux lets a test mount a disk without asking for a password.
func onSmallDisk() int { return exitFailed }
func canMount() bool   { return false }
