package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/fairlead/fairlead/internal/money"
)

// colour reports whether a file may carry colour: only terminals do, and NO_COLOR
// is obeyed (https://no-color.org).
func colour(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// dim is for stderr.
func dim(s string) string {
	if !colour(os.Stderr) {
		return s
	}
	return "\x1b[2m" + s + "\x1b[0m"
}

// bold is for stdout.
func bold(s string) string {
	if !colour(os.Stdout) {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

// costText shows an amount with as much certainty as it has.
func costText(c money.Cost) string {
	switch c.State {
	case money.Known:
		return "$" + c.USD.String()
	case money.Estimated:
		return "≈ $" + c.USD.String()
	}
	return "cost unknown"
}

// table prints rows under a head, aligned, within the width of a terminal.
func table(w io.Writer, head []string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(head, "\t"))
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

// count is "1 target", "2 targets".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// short cuts a text to n characters.
func short(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// folded are words on lines of at most width characters, the second and later ones indented.
func folded(words []string, width, indent int) string {
	var out strings.Builder
	at := 0
	for _, word := range words {
		n := utf8.RuneCountInString(word)
		switch {
		case at == 0:
		case at+1+n > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			at = 0
		default:
			out.WriteByte(' ')
			at++
		}
		out.WriteString(word)
		at += n
	}
	return out.String()
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
