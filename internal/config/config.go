// Package config answers how this Fairlead is set up: it loads the file (or
// discovers what the machine has), fills in defaults, checks everything at once,
// and shows the result without its secrets.
//
// It starts nothing and calls no model; internal/app builds the rooms from a
// Config. A Config never changes after it was loaded: a reload makes another one.
// Start reading at Config, then Load (load.go), then Watcher and Discover.
package config

import (
	"crypto/sha256"
	"time"
)

// Config is the whole configuration, checked and with every default filled in.
//
// The doc tags are the descriptions that Schema publishes and error messages use;
// they stand in place of comments on the fields.
type Config struct {
	Listen  string   `yaml:"listen" doc:"Address and port that clients connect to, such as 127.0.0.1:8080. An empty host (:8080) listens on every address. Port 0 takes a free one."`
	Data    string   `yaml:"data" doc:"Folder of the database, the models and the indexes. A relative path starts at the folder of this file."`
	Targets []Target `yaml:"targets" doc:"Where inference can run, by name. A target is one model at one endpoint; clients may ask for it by its name."`
	Models  []Model  `yaml:"models" doc:"The names that clients ask for, each with the targets that may answer."`
	Keys    []Key    `yaml:"keys" doc:"The keys that open the door. A file without keys is closed but for keys made by fairlead keys."`
	CORS    CORS     `yaml:"cors" doc:"Which web pages may call from a browser. Without it, none of another origin."`
	Limits  Limits   `yaml:"limits" doc:"Bounds on what one client, or all together, can make this process hold."`
	Record  Record   `yaml:"record" enum:"best_effort,required" doc:"What happens when the record cannot be written, as on a full disk. best_effort: answers go on, and /readyz says so. required: requests get 503."`
	Engine  Engine   `yaml:"engine" doc:"The local engine that runs a model on this machine, for targets of provider local."`
	Prices  Prices   `yaml:"prices" doc:"Prices of your own, over those that come with the program."`
	Log     Log      `yaml:"log" doc:"The program's own log, on standard error."`

	Origin Origin `yaml:"-"`
}

// Origin is where a Config comes from, and what was noticed on the way.
type Origin struct {
	// Path is the file as it was named; "" when the configuration was discovered.
	Path string
	// Warnings are what is allowed but probably not meant, by position.
	Warnings Problems
	// digest is of the file's bytes, so that a Watcher knows a change from a touch.
	digest [sha256.Size]byte
}

// Target finds a target by name.
func (c *Config) Target(name string) (*Target, bool) {
	for i := range c.Targets {
		if c.Targets[i].Name == name {
			return &c.Targets[i], true
		}
	}
	return nil, false
}

// Model finds a model by name.
func (c *Config) Model(name string) (*Model, bool) {
	for i := range c.Models {
		if c.Models[i].Name == name {
			return &c.Models[i], true
		}
	}
	return nil, false
}

// Record says what is done with an answer that cannot be recorded.
type Record string

// The two ways: answer all the same, or refuse.
const (
	BestEffort Record = "best_effort"
	Required   Record = "required"
)

// CORS is what browsers are told about other origins.
type CORS struct {
	Origins []string      `yaml:"origins" doc:"Origins such as https://app.example.com, or \"*\" for every one (keys in headers protect such calls, cookies are never allowed)."`
	Headers []string      `yaml:"headers" doc:"Request headers that such pages may send, all of them: authorization and content-type are among those that clients need. Without it, every header that they ask for."`
	MaxAge  time.Duration `yaml:"max_age" doc:"How long a browser may remember the answer to its preflight."`
}

// Limits are the bounds of the front door.
type Limits struct {
	Body          Bytes         `yaml:"body" min:"1024" max:"1073741824" doc:"Largest request body, counted after decompression."`
	Header        Bytes         `yaml:"header" min:"4096" max:"16777216" doc:"Largest set of request headers."`
	JSONDepth     int           `yaml:"json_depth" min:"8" max:"10000" doc:"How deep arrays and objects of a request may be nested."`
	Event         Bytes         `yaml:"event" min:"1024" max:"1073741824" doc:"Longest line of an upstream's event stream, and largest plain answer."`
	Requests      int           `yaml:"requests" min:"1" max:"1000000" doc:"Requests that may be under way at the same time. More get 503."`
	Streams       int           `yaml:"streams" min:"1" max:"1000000" doc:"Streams among them that may be open at the same time. More get 503; plain answers go on."`
	HeaderTimeout time.Duration `yaml:"header_timeout" doc:"How long a client may take to send its headers."`
	BodyTimeout   time.Duration `yaml:"body_timeout" doc:"How long a client may take to send its body."`
	Drain         time.Duration `yaml:"drain" doc:"How long open streams may go on after SIGTERM."`
	Keys          int           `yaml:"keys" min:"1" max:"10000000" doc:"Keys that are kept, those of this file and those made by commands together."`
}

// Engine is the local engine: a child process that speaks the HTTP API of
// llama.cpp's server. Zero numbers leave the choice to the engine.
type Engine struct {
	Server  string `yaml:"server" doc:"Path of a llama-server program. Without it, the one on PATH, else the one that Fairlead has downloaded."`
	Python  string `yaml:"python" doc:"Python 3.10 or newer that runs the downloaded engine. Without it, python3 on PATH."`
	Model   string `yaml:"model" doc:"GGUF file, or the name of a model that fairlead models lists. Targets of provider local that name no model get this one."`
	Context int    `yaml:"context" min:"256" max:"10485760" doc:"Context of one slot in tokens."`
	Slots   int    `yaml:"slots" min:"1" max:"256" doc:"Requests that are worked on at the same time."`
	Queue   int    `yaml:"queue" min:"1" max:"100000" doc:"Requests that may wait for a slot. More get 503."`
	Threads int    `yaml:"threads" min:"1" max:"1024" doc:"Processor threads. Without it, all processors but one, at most 8: with every processor in use a model on a busy machine crawls."`
}

// Prices is the local overlay of the price catalog.
type Prices struct {
	File string `yaml:"file" doc:"JSON lines of price rows that win over the built-in ones; a relative path starts at the folder of this file."`
}

// Log is the program's own log.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" doc:"The least grave line that is written."`
	Format string `yaml:"format" enum:"text,json" doc:"text for people, json for collectors."`
}

// Default is the configuration that an empty file stands for.
func Default() *Config {
	return &Config{
		Listen: "127.0.0.1:8080", // this machine only: opening the door is a decision
		Data:   "data",
		CORS:   CORS{MaxAge: 10 * time.Minute},
		Limits: defaultLimits(),
		Record: BestEffort,
		Engine: Engine{
			Context: 4096, // fits the chat model that Fairlead downloads, in about 100 MB
			Slots:   2,
			Queue:   64,
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

func defaultLimits() Limits {
	return Limits{
		Body:          32 << 20, // a 10 MB body with images is ordinary; base64 and a margin on top
		Header:        64 << 10, // twice what browsers and proxies send at most
		JSONDepth:     128,      // tool schemas reach about 20
		Event:         16 << 20, // generated images travel in one event
		Requests:      20_000,
		Streams:       15_000, // 10,000 are measured at under 600 MB
		HeaderTimeout: 10 * time.Second,
		BodyTimeout:   2 * time.Minute, // 32 MiB over 2 Mbit/s
		Drain:         30 * time.Second,
		Keys:          100_000, // about 500 bytes each
	}
}
