// Command importprices writes the price files of package catalog anew from a file
// that someone has downloaded and looked at. It is run by hand, never at start:
//
//	go run ./internal/catalog/importprices -date 2026-08 genai-prices.json
//
// It prints what was skipped and which prices jumped; rows that did not change
// keep their date. Running it twice writes the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
)

func main() {
	dir := flag.String("dir", "internal/catalog/prices", "folder of the price files")
	date := flag.String("date", time.Now().UTC().Format("2006-01"), "when the prices were seen, YYYY-MM")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: importprices [-dir DIR] [-date YYYY-MM] genai-prices.json")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *dir, *date); err != nil {
		fmt.Fprintln(os.Stderr, "importprices:", err)
		os.Exit(1)
	}
}

func run(file, dir, date string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, skipped, err := catalog.ImportGenAI(f, date)
	if err != nil {
		return err
	}
	for _, s := range skipped {
		fmt.Printf("skipped %s %s: %s\n", s.Provider, s.Model, s.Why)
	}
	if rows, err = supplement(rows); err != nil {
		return err
	}
	byProvider := map[string][]catalog.Row{}
	for _, r := range rows {
		byProvider[r.Provider] = append(byProvider[r.Provider], r)
	}
	for provider, rows := range byProvider {
		if err := write(filepath.Join(dir, provider+".jsonl"), provider, rows); err != nil {
			return err
		}
	}
	fmt.Printf("%d rows of %d providers\n", len(rows), len(byProvider))
	return nil
}

func write(file, provider string, rows []catalog.Row) error {
	old, err := read(file, provider)
	if err != nil {
		return err
	}
	for _, c := range catalog.Diff(old, rows) {
		if c.Jump {
			fmt.Println("JUMP", c)
		}
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := catalog.WriteRows(out, catalog.Renew(old, rows)); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func read(file, provider string) ([]catalog.Row, error) {
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return catalog.ReadRows(f, provider)
}
