package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Control is how commands on this machine reach the server that runs on a data
// folder. The file that holds it can be read by its owner alone, like the database
// beside it.
type Control struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	PID   int    `json:"pid"`
}

const controlFile = "control.json"

// controlID is the key id under which commands on this machine are recorded.
const controlID = "control"

// ErrNotRunning says that no server has left its address in the folder.
var ErrNotRunning = errors.New("no server has left its address there")

// ReadControl finds the server that runs on a data folder.
func ReadControl(data string) (Control, error) {
	var c Control
	b, err := os.ReadFile(filepath.Join(data, controlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return c, ErrNotRunning
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil || c.URL == "" || c.Token == "" {
		return c, fmt.Errorf("%s cannot be read: %w", controlFile, errors.Join(err, ErrNotRunning))
	}
	return c, nil
}

func writeControl(data string, c Control) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(data, ".control-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(data, controlFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// removeControl takes the file away, unless another server has written its own.
func removeControl(data, token string) {
	if c, err := ReadControl(data); err == nil && c.Token == token {
		_ = os.Remove(filepath.Join(data, controlFile)) // a file that stays names a server that does not answer, which commands notice
	}
}
