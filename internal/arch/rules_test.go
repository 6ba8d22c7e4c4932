package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/arch"
)

func TestWhy_ValuesGoUpImportsGoDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		test     bool
		want     string // part of the reason, "" for a good import
	}{
		{from: "internal/llm", to: "internal/money"},
		{from: "internal/dialect", to: "internal/dialect/openai"},
		{from: "internal/store/sqlite", to: "internal/ledger"},
		{from: "internal/store/sqlite", to: "internal/store/sqlite/query"},
		{from: "cmd/fairlead", to: "internal/app"},
		{from: "bench", to: "internal/testkit/upstream"},
		{from: "internal/route", to: "internal/testkit", test: true},
		{from: "internal/route", to: "internal/app", test: true},
		{from: "internal/dialect/dialecttest", to: "internal/dialect"},
		{from: "internal/llm", to: "internal/exchange", want: "no room calls its neighbour"},
		{from: "internal/cache", to: "internal/upstream", want: "floor 6"},
		{from: "internal/dialect/openai", to: "internal/dialect", want: "imports go down"},
		{from: "internal/store/sqlite/query", to: "internal/store/sqlite", want: "own package imports its parts"},
		{from: "internal/store/sqlite", to: "internal/store/postgres", want: "floor 8"},
		{from: "internal/app", to: "internal/testkit", want: "test kit"},
		{from: "cmd/fairlead", to: "internal/engine/enginetest", want: "test kit"},
		{from: "internal/app", to: "cmd/fairlead", want: "above floor 11"},
	} {
		t.Run(c.from+" imports "+c.to, func(t *testing.T) {
			t.Parallel()
			from, ok := arch.Find(c.from)
			if !ok {
				t.Fatalf("%s is not in the table", c.from)
			}
			to, ok := arch.Find(c.to)
			if !ok {
				t.Fatalf("%s is not in the table", c.to)
			}
			got := arch.Why(from, to, c.from, c.to, c.test)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("Why = %q, want a reason with %q", got, c.want)
			}
		})
	}
}

func TestFind_KnowsNoStranger(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"internal/util", "internal", "internal/llm/extra", "cmd/other", "benchmark", "."} {
		if row, ok := arch.Find(path); ok {
			t.Errorf("Find(%q) = %+v, want nothing", path, row)
		}
	}
}

func TestFloors_HaveOneRowEach(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range arch.Floors {
		if seen[p.Path] {
			t.Errorf("%s stands twice in the table", p.Path)
		}
		seen[p.Path] = true
		if p.Answers == "" {
			t.Errorf("%s does not say what it answers", p.Path)
		}
	}
}

func TestWhyImpure_AllowsParsersOnly(t *testing.T) {
	t.Parallel()
	for path, bad := range map[string]bool{
		"os": true, "os/exec": true, "net": true, "net/http": true, "net/http/httptest": true,
		"database/sql": true, "syscall": true, "crypto/rand": true, "log": true,
		"net/url": false, "net/netip": false, "log/slog": false, "io": false, "strings": false, "nets": false,
	} {
		if got := arch.WhyImpure(path); (got != "") != bad {
			t.Errorf("WhyImpure(%q) = %q", path, got)
		}
	}
}

func TestWhyConfined_KeepsLibrariesInTheirRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, library string
		bad           bool
	}{
		{"internal/store/sqlite", "modernc.org/sqlite", false},
		{"internal/store/sqlite/query", "modernc.org/sqlite/lib", false},
		{"internal/ledger", "modernc.org/sqlite", true},
		{"internal/ledger", "modernc.org/sqlite/lib", true},
		{"internal/console", "github.com/chromedp/chromedp", true},
		{"internal/ledger", "modernc.org/sqliteish", false},
	} {
		if got := arch.WhyConfined(c.from, c.library); (got != "") != c.bad {
			t.Errorf("WhyConfined(%q, %q) = %q", c.from, c.library, got)
		}
	}
}

func TestImpurities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src  string
		want string // part of the one finding, "" for none
	}{
		"a table that is read":         {`var m = map[string]int{"a": 1}; func f() int { return m["a"] }`, ""},
		"a sentinel and an expression": {`var e = errors.New("x"); var r = regexp.MustCompile("x"); func f() bool { return r.MatchString(e.Error()) }`, ""},
		"a local that shadows":         {`var m = 1; func f() int { m := 2; m++; m = 3; return m }`, ""},
		"a parameter that shadows":     {`var m = 1; func f(m map[string]int) { m["a"] = 1 }`, ""},
		"a field of the same name":     {`var m = 1; type s struct{ m int }; func (x *s) f() { x.m = 2 }`, ""},
		"a key of a literal":           {`var m = 1; type s struct{ m int }; func f() *s { return &s{m: 2} }`, ""},
		"a duration":                   {`func f(t time.Time) time.Time { return t.Add(time.Second) }`, ""},
		"a seeded source":              {`func f(n uint64) int { return rand.New(rand.NewPCG(n, n)).IntN(3) }`, ""},
		"a once-built value":           {`var v = sync.OnceValue(func() int { return 1 }); func f() int { return v() }`, ""},
		"an element's address":         {`var t = []int{1}; func f() *int { return &t[0] }`, ""},

		"assignment":          {`var n int; func f() { n = 2 }`, "package-level n is changed"},
		"increment":           {`var n int; func f() { n++ }`, "package-level n"},
		"map write":           {`var m = map[string]int{}; func f() { m["a"] = 1 }`, "package-level m"},
		"field write":         {`var c struct{ a []int }; func f() { c.a[0] = 1 }`, "package-level c"},
		"pointer write":       {`var p = new(int); func f() { *p = 1 }`, "package-level p"},
		"delete":              {`var m = map[string]int{}; func f() { delete(m, "a") }`, "package-level m"},
		"range assignment":    {`var k int; func f(x []int) { for k = range x {} }`, "package-level k"},
		"send":                {`var c = make(chan int, 1); func f() { c <- 1 }`, "package-level c"},
		"address given away":  {`var n int; func f() *int { return &n }`, "package-level n"},
		"in a closure":        {`var n int; var f = func() { n = 1 }`, "package-level n"},
		"another's global":    {`func f() { errors.ErrUnsupported = nil }`, "errors.ErrUnsupported"},
		"mutex":               {`var mu sync.Mutex; func f() { mu.Lock() }`, "shared state"},
		"pool":                {`var p = sync.Pool{}; func f() any { return p.Get() }`, "shared state"},
		"generic atomic":      {`var p atomic.Pointer[int]; func f() *int { return p.Load() }`, "shared state"},
		"clock":               {`func f() time.Time { return time.Now() }`, "time.Now"},
		"clock as a value":    {`var now = time.Now`, "time.Now"},
		"hidden seed":         {`func f() int { return rand.IntN(3) }`, "rand.IntN"},
		"goroutine":           {`func f() { go f() }`, "goroutine"},
		"clock under a label": {`func f() { select { case <-time.After(1): } }`, "time.After"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := "package p\nimport (\"errors\"; \"math/rand/v2\"; \"regexp\"; \"sync\"; \"sync/atomic\"; \"time\")\n" + c.src
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, "p.go", src, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			found := arch.Impurities(fset, []*ast.File{f})
			if c.want == "" {
				if len(found) > 0 {
					t.Fatalf("found %q, want nothing", found[0].Why)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0].Why, c.want) {
				t.Fatalf("found %+v, want one with %q", found, c.want)
			}
		})
	}
}
