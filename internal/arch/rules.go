package arch

import (
	"fmt"
	"strings"
)

// impure are the imports that would let a pure floor touch the world. A path that
// ends in "/" stands for everything under it.
var impure = map[string]string{
	"os":           "files and environment belong to floor 5 and up",
	"os/":          "processes and signals belong to floor 5 and up",
	"io/ioutil":    "files belong to floor 5 and up",
	"net":          "the network belongs to floor 5 and up",
	"net/":         "the network belongs to floor 5 and up",
	"syscall":      "the system belongs to floor 5 and up",
	"database/sql": "stores satisfy a small interface that the room declares",
	"crypto/rand":  "the random seed is part of the Question",
	"log":          "return an error; the caller logs it once",
}

// pureAfterAll are exceptions to impure: they parse and print, and touch nothing.
var pureAfterAll = map[string]bool{"net/url": true, "net/netip": true}

// confined are libraries that one place wraps, so that replacing one is a change
// in one folder. Test files may import any of them.
var confined = map[string][]string{
	"modernc.org/sqlite":                {"internal/store/sqlite"},
	"github.com/jackc/pgx":              {"internal/store/postgres"},
	"github.com/redis/rueidis":          {"internal/store/redis"},
	"github.com/spf13/cobra":            {"cmd/fairlead"},
	"github.com/ethereum/go-ethereum":   {"internal/evm", "internal/chain"},
	"github.com/gagliardetto/solana-go": {"internal/solana", "internal/chain"},
	"github.com/aws":                    {"internal/upstream"},
	"github.com/cohere-ai":              {},
	"github.com/chromedp/chromedp":      {},
	"github.com/google/go-cmp":          {},
	"github.com/rogpeppe/go-internal":   {},
	"go.uber.org/goleak":                {},
	"pgregory.net/rapid":                {},
}

// Why says what is wrong with an import, or "" when it is right. Both paths are
// below the module path; test is true for a _test.go file.
func Why(from, to Package, fromPath, toPath string, test bool) string {
	part := strings.HasPrefix(toPath, fromPath+"/")
	switch {
	case to.Kind == Kit:
		if test || from.Kind == Kit || from.Kind == Workbench {
			return ""
		}
		return "it is a test kit; only _test.go files, other kits and workbenches import it"
	case test || from.Kind == Kit:
		return ""
	case to.Floor < from.Floor, to.Floor == from.Floor && part:
		return ""
	case from.Kind == Workbench && to.Path == from.Path:
		return "" // the parts of one workbench are one program
	case to.Floor == from.Floor && to.Path == from.Path && strings.HasSuffix(to.Path, "/..."):
		return "it lies in the same folder, but only the folder's own package imports its parts"
	case to.Floor == from.Floor:
		return fmt.Sprintf("both stand on floor %d, and no room calls its neighbour: declare a func or a small interface here and let internal/app wire it", to.Floor)
	}
	return fmt.Sprintf("it stands on floor %d, above floor %d: values go up, imports go down", to.Floor, from.Floor)
}

// WhyImpure says why a package on a pure floor may not import a path, or "".
func WhyImpure(path string) string {
	if pureAfterAll[path] {
		return ""
	}
	if why, ok := impure[path]; ok {
		return why
	}
	for prefix, why := range impure {
		if strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix) {
			return why
		}
	}
	return ""
}

// WhyConfined says why a package may not import a library, or "".
func WhyConfined(fromPath, library string) string {
	for root, homes := range confined {
		if library != root && !strings.HasPrefix(library, root+"/") {
			continue
		}
		for _, home := range homes {
			if fromPath == home || strings.HasPrefix(fromPath, home+"/") {
				return ""
			}
		}
		if len(homes) == 0 {
			return "it is for tests only"
		}
		return "it is wrapped by " + strings.Join(homes, " and ") + ", so that replacing it stays a change in one folder"
	}
	return ""
}
