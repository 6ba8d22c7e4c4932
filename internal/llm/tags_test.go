package llm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTags_Set(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, value string
		want        Tags
		says        string // "" for a tag that is taken
	}{
		{"task", " explain-transfer ", Tags{Task: "explain-transfer"}, ""},
		{"task", "Überweisung erklären", Tags{Task: "Überweisung erklären"}, ""},
		{"task", strings.Repeat("x", 256), Tags{Task: strings.Repeat("x", 256)}, ""},
		{"task", strings.Repeat("x", 257), Tags{}, "1 to 256"},
		{"task", "", Tags{}, "1 to 256"},
		{"task", "  ", Tags{}, "1 to 256"},
		{"task", "a\nb", Tags{}, "printable"},
		{"task", "a\x7f", Tags{}, "printable"},
		{"task-id", "42", Tags{TaskID: "42"}, ""},
		{"class", "wallet", Tags{Classes: []string{"wallet"}}, ""},
		{"class", "wallet, identity,wallet", Tags{Classes: []string{"identity", "wallet"}}, ""},
		{"class", "deal-flow_2", Tags{Classes: []string{"deal-flow_2"}}, ""},
		{"class", "Wallet", Tags{}, "lower-case"},
		{"class", "wallet,,identity", Tags{}, "lower-case"},
		{"class", "wallet identity", Tags{}, "lower-case"},
		{"cache", "off", Tags{Cache: "off"}, ""},
		{"cache", "refresh", Tags{Cache: "refresh"}, ""},
		{"cache", "Off", Tags{}, `"off" or "refresh"`},
		{"max-usd", "0.02", Tags{MaxUSD: "0.02"}, ""},
		{"max-usd", "0", Tags{MaxUSD: "0"}, ""},
		{"max-usd", "-0.02", Tags{}, "an amount in USD"},
		{"max-usd", "1e3", Tags{}, "an amount in USD"},
		{"max-usd", "$1", Tags{}, "an amount in USD"},
		{"max-usd", "NaN", Tags{}, "an amount in USD"},
		{"deadline-ms", "1", Tags{DeadlineMS: 1}, ""},
		{"deadline-ms", "86400000", Tags{DeadlineMS: 86400000}, ""},
		{"deadline-ms", "86400001", Tags{}, "1 to 86400000"},
		{"deadline-ms", "0", Tags{}, "1 to 86400000"},
		{"deadline-ms", "-5", Tags{}, "1 to 86400000"},
		{"deadline-ms", "99999999999999999999", Tags{}, "1 to 86400000"},
		{"deadline-ms", "1.5", Tags{}, "1 to 86400000"},
		{"tasks", "x", Tags{}, "is not known; known are task, task-id, class, cache, max-usd, deadline-ms"},
		{"Task", "x", Tags{}, "is not known"},
		{"", "x", Tags{}, "is not known"},
	} {
		var got Tags
		err := got.Set(tc.name, tc.value)
		if tc.says == "" {
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%s: %.40q: %v (-want +got):\n%s", tc.name, tc.value, err, diff)
			}
			continue
		}
		e := AsError(err)
		if err == nil || e.Kind != Invalid || e.Param != "x-fairlead-"+tc.name || !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s: %.40q: %v, want %q", tc.name, tc.value, err, tc.says)
		}
	}
}

func TestTags_TheFirstToSpeakWinsAndClassesAddUp(t *testing.T) {
	t.Parallel()
	var first, second Tags
	for name, value := range map[string]string{"task": "a", "class": "wallet", "deadline-ms": "10"} {
		if err := first.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"task": "b", "class": "identity", "deadline-ms": "20", "cache": "off", "max-usd": "1", "task-id": "7"} {
		if err := errors.Join(first.Set("task", "later"), first.Set("deadline-ms", "99"), second.Set(name, value)); err != nil {
			t.Fatal(err)
		}
	}
	kept := append([]string(nil), second.Classes...)
	first.Inherit(second)
	want := Tags{Task: "a", TaskID: "7", Classes: []string{"identity", "wallet"}, Cache: "off", MaxUSD: "1", DeadlineMS: 10}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(kept, second.Classes); diff != "" {
		t.Errorf("the other's classes changed:\n%s", diff)
	}
}

func TestAsError_HidesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	plain := errors.New("open /etc/secret: denied")
	e := AsError(plain)
	if e.Kind != Internal || strings.Contains(e.Message, "secret") || !errors.Is(e, plain) || !strings.Contains(e.Error(), "secret") {
		t.Errorf("%+v", e)
	}
	known := &Error{Kind: Budget, Message: "no money"}
	if AsError(fmt.Errorf("reserving: %w", known)) != known || known.Error() != "budget: no money" {
		t.Errorf("%v", known)
	}
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]Class{
		Invalid: {}, Unauthorized: {Fallback: true}, Forbidden: {Fallback: true}, NotFound: {Fallback: true}, Budget: {Fallback: true},
		RateLimited: {Retry: true, Fallback: true}, Overloaded: {Retry: true, Fallback: true}, TooLong: {Fallback: true}, TooLarge: {Fallback: true},
		Blocked: {}, Timeout: {Fallback: true}, Canceled: {}, Unsupported: {Fallback: true}, Cut: {Retry: true, Fallback: true},
		Upstream: {Retry: true, Fallback: true}, Internal: {}, "new": {},
	} {
		if got := ClassOf(kind); got != want {
			t.Errorf("%s: %+v, want %+v", kind, got, want)
		}
	}
}

func TestAbility_NamesAreReadBack(t *testing.T) {
	t.Parallel()
	all := (^Ability(0)).Names()
	var set Ability
	for _, name := range all {
		bit, ok := AbilityNamed(name)
		if !ok || set.Has(bit) || bit.Names()[0] != name {
			t.Errorf("%s: %d %v", name, bit, ok)
		}
		set |= bit
	}
	if len(all) != 23 || !set.Has(CanChat|CanTools) || Ability(0).Has(CanChat) || Ability(0).Names() != nil {
		t.Errorf("%v", all)
	}
	if _, ok := AbilityNamed("Stream"); ok {
		t.Error("names are case-exact")
	}
	for surface, want := range map[Surface]Ability{Chat: CanChat, Completions: CanCompletions, Embeddings: CanEmbeddings, "audio": 0} {
		if surface.Needed() != want {
			t.Errorf("%s needs %v", surface, surface.Needed().Names())
		}
	}
}

func TestMark_First(t *testing.T) {
	t.Parallel()
	for mark, want := range map[Mark]bool{
		MarkContent: true, MarkReasoning: true, MarkTool: true, MarkStop: true, MarkWhole: true, MarkStart | MarkContent: true,
		MarkStart: false, MarkUsage | MarkUsageOnly: false, MarkDone: false, MarkComment: false, MarkUnknown: false, 0: false,
	} {
		if mark.First() != want {
			t.Errorf("%b: %v", mark, mark.First())
		}
	}
}

func TestSurface_ForwardedOnesNeedWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	for _, surface := range []Surface{Moderations, Speech, Transcriptions, Translations, Images, ImageEdits, ImageVariations} {
		if names := surface.Needed().Names(); len(names) != 1 || names[0] != string(surface) || !surface.Forwarded() || surface.Speaks() {
			t.Errorf("%s needs %v", surface, names)
		}
	}
	for _, surface := range []Surface{Chat, Completions, Embeddings, Rerank, CountTokens, "new"} {
		if surface.Forwarded() {
			t.Errorf("%s is forwarded", surface)
		}
	}
}
