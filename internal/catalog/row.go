package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/money"
)

// Row is one price as data: a line of prices/<provider>.jsonl, or of a user's
// overlay. Rows of one model stand together; the last one whose Since and Hours
// hold decides, and the first one where none does.
type Row struct {
	Provider string `json:"provider,omitzero"` // empty in the files: the file's name
	Model    string `json:"model"`
	// Match says which names mean this model; empty is "=" + Model. In further rows of
	// the same model it is left out.
	Match string `json:"match,omitzero"`
	// Since is the first day (UTC, YYYY-MM-DD) of the price.
	Since string `json:"since,omitzero"`
	// Hours is a daily window in UTC, "00:30-16:30", end excluded; it may span midnight.
	Hours   string `json:"hours,omitzero"`
	Rates   `json:",inline"`
	Context int64  `json:"context,omitzero"` // tokens that fit the model
	Source  string `json:"source"`           // page that shows the price
	Date    string `json:"date"`             // when it was taken from there, YYYY-MM or YYYY-MM-DD
}

// Rates are prices as decimal text in USD per million tokens, requests and searches
// per thousand. Empty means that there is none of its own: caches, audio, images and
// reasoning then cost what plain input or output costs.
//
// A rate may step with the size of the request: "3 >200000:6" is 3, and 6 for all
// tokens once the input is above 200,000.
type Rates struct {
	Input          string `json:"input,omitzero"`
	CacheRead      string `json:"cache_read,omitzero"`
	CacheWrite     string `json:"cache_write,omitzero"`
	CacheWrite1h   string `json:"cache_write_1h,omitzero"`
	AudioInput     string `json:"audio_input,omitzero"`
	AudioCacheRead string `json:"audio_cache_read,omitzero"`
	ImageInput     string `json:"image_input,omitzero"`
	Output         string `json:"output,omitzero"`
	Reasoning      string `json:"reasoning,omitzero"`
	AudioOutput    string `json:"audio_output,omitzero"`
	ImageOutput    string `json:"image_output,omitzero"`
	Requests       string `json:"requests,omitzero"`
	Searches       string `json:"searches,omitzero"`
}

// Each gives the name and text of every rate, the empty ones too.
func (r Rates) Each(yield func(name, text string) bool) {
	for _, f := range []struct{ name, text string }{
		{"input", r.Input},
		{"cache_read", r.CacheRead}, {"cache_write", r.CacheWrite}, {"cache_write_1h", r.CacheWrite1h},
		{"audio_input", r.AudioInput}, {"audio_cache_read", r.AudioCacheRead}, {"image_input", r.ImageInput},
		{"output", r.Output}, {"reasoning", r.Reasoning}, {"audio_output", r.AudioOutput},
		{"image_output", r.ImageOutput}, {"requests", r.Requests}, {"searches", r.Searches},
	} {
		if !yield(f.name, f.text) {
			return
		}
	}
}

// key identifies the row among those of all providers.
func (r Row) key() string {
	return strings.Join([]string{r.Provider, r.Model, r.Since, r.Hours}, "\x00")
}

// label is what money.Source.Row says.
func (r Row) label() string {
	switch {
	case r.Since != "" && r.Hours != "":
		return "since " + r.Since + ", " + r.Hours + " UTC"
	case r.Since != "":
		return "since " + r.Since
	case r.Hours != "":
		return r.Hours + " UTC"
	}
	return "base"
}

// holds reports whether the row's date and hours cover the moment.
func (r Row) holds(at time.Time) bool {
	at = at.UTC()
	if r.Since != "" && at.Format(time.DateOnly) < r.Since {
		return false
	}
	if r.Hours == "" {
		return true
	}
	from, to, _ := strings.Cut(r.Hours, "-")
	now := at.Format("15:04")
	if to < from {
		return now >= from || now < to
	}
	return from <= now && now < to
}

// Check says what is wrong with a row, nil when nothing is.
func (r Row) Check() error {
	var errs []error
	if r.Provider == "" || r.Model == "" {
		errs = append(errs, errors.New("provider and model are required"))
	}
	if _, err := ParseMatch(r.Match); err != nil {
		errs = append(errs, err)
	}
	if r.Since != "" {
		if _, err := time.Parse(time.DateOnly, r.Since); err != nil {
			errs = append(errs, fmt.Errorf("since %q: write YYYY-MM-DD", r.Since))
		}
	}
	if err := checkHours(r.Hours); err != nil {
		errs = append(errs, err)
	}
	if _, err := newPrice(r.Rates, money.Source{}); err != nil {
		errs = append(errs, err)
	}
	if r.Source == "" || r.Date == "" {
		errs = append(errs, errors.New("source and date are required: say where the price was seen and when"))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("price row %s/%s (%s): %w", r.Provider, r.Model, r.label(), errors.Join(errs...))
}

func checkHours(s string) error {
	if s == "" {
		return nil
	}
	from, to, ok := strings.Cut(s, "-")
	_, err1 := time.Parse("15:04", from)
	_, err2 := time.Parse("15:04", to)
	if !ok || err1 != nil || err2 != nil || len(s) != len("00:00-00:00") {
		return fmt.Errorf("hours %q: write a UTC window like 00:30-16:30", s)
	}
	return nil
}

// maxRows bounds a price file.
const maxRows = 1_000_000

// ReadRows reads JSON lines of rows. provider fills in where a row names none.
// Unknown names in a row are errors.
func ReadRows(r io.Reader, provider string) ([]Row, error) {
	dec := jsontext.NewDecoder(r)
	var rows []Row
	for len(rows) < maxRows {
		var row Row
		err := json.UnmarshalDecode(dec, &row, json.RejectUnknownMembers(true))
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("price row %d: %w", len(rows)+1, err)
		}
		row.Provider = cmp.Or(row.Provider, provider)
		rows = append(rows, row)
	}
	return nil, fmt.Errorf("more than %d price rows", maxRows)
}

// WriteRows writes rows as JSON lines, one per price, without the provider.
func WriteRows(w io.Writer, rows []Row) error {
	var buf bytes.Buffer
	enc := jsontext.NewEncoder(&buf)
	for _, row := range rows {
		row.Provider = ""
		if err := json.MarshalEncode(enc, row); err != nil {
			return err
		}
	}
	_, err := w.Write(buf.Bytes())
	return err
}
