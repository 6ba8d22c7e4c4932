package llm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/money"
)

// maxTag bounds a tag's value; tasks and ids are names, not texts.
const maxTag = 256

// TagNames are the names that Tags.Set knows, as they stand after "x-fairlead-" in
// a header; in OpenAI metadata they stand after "fairlead_" with underscores.
var TagNames = [...]string{"task", "task-id", "class", "cache", "max-usd", "deadline-ms"}

// Set takes one tag by its header name without the prefix. Classes add up; any
// other tag that is already set stays, so the first source to speak wins. The
// error is Invalid and names the header.
func (t *Tags) Set(name, value string) error {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > maxTag || strings.ContainsFunc(value, isControl) {
		return badTag(name, "must be 1 to "+strconv.Itoa(maxTag)+" printable characters")
	}
	switch name {
	case "task":
		setOnce(&t.Task, value)
	case "task-id":
		setOnce(&t.TaskID, value)
	case "class":
		return t.addClasses(value)
	case "cache":
		if value != "off" && value != "refresh" {
			return badTag(name, `must be "off" or "refresh"`)
		}
		setOnce(&t.Cache, value)
	case "max-usd":
		if a, err := money.Parse(value); err != nil || a.Sign() < 0 {
			return badTag(name, `must be an amount in USD such as "0.02"`)
		}
		setOnce(&t.MaxUSD, value)
	case "deadline-ms":
		ms, err := strconv.ParseInt(value, 10, 64)
		if err != nil || ms <= 0 || ms > 24*3600*1000 {
			return badTag(name, "must be whole milliseconds from 1 to 86400000")
		}
		if t.DeadlineMS == 0 {
			t.DeadlineMS = ms
		}
	default:
		return badTag(name, "is not known; known are "+strings.Join(TagNames[:], ", "))
	}
	return nil
}

// Inherit takes over what from sets and t does not; classes add up.
func (t *Tags) Inherit(from Tags) {
	setOnce(&t.Task, from.Task)
	setOnce(&t.TaskID, from.TaskID)
	setOnce(&t.Cache, from.Cache)
	setOnce(&t.MaxUSD, from.MaxUSD)
	if t.DeadlineMS == 0 {
		t.DeadlineMS = from.DeadlineMS
	}
	for _, class := range from.Classes {
		if !slices.Contains(t.Classes, class) {
			t.Classes = append(t.Classes, class)
		}
	}
	slices.Sort(t.Classes)
}

func (t *Tags) addClasses(list string) error {
	for class := range strings.SplitSeq(list, ",") {
		class = strings.TrimSpace(class)
		if class == "" || strings.ContainsFunc(class, notClass) {
			return badTag("class", "must be data classes such as wallet,identity: lower-case letters, digits, - and _")
		}
		if !slices.Contains(t.Classes, class) {
			t.Classes = append(t.Classes, class)
		}
	}
	slices.Sort(t.Classes)
	return nil
}

func setOnce(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func notClass(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

func badTag(name, why string) error {
	return &Error{Kind: Invalid, Code: "invalid_header", Param: "x-fairlead-" + name, Message: "x-fairlead-" + name + " " + why}
}
