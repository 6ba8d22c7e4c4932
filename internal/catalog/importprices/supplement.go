package main

import (
	"strings"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/money"
)

// Prices of Anthropic's that the imported file has no place for: writing to the
// one-hour cache costs twice the plain input, web searches 10 USD a thousand. As
// public price tables repeated them in 2026-11; the publisher's own page,
// https://platform.claude.com/docs/en/about-claude/pricing, was not read for it.
const (
	hourCacheFactor = 2
	searchesPrice   = "10"
)

// imageModels of Google's bill text and images apart, where the imported file has
// only the price of images, in USD per million output tokens; as genai-prices 0.2.3
// has them, with https://ai.google.dev/gemini-api/docs/pricing named as their source.
var imageModels = map[string]struct{ text, image string }{
	"gemini-2.5-flash-image":         {"2.5", "30"},
	"gemini-3-pro-image-preview":     {"12", "120"},
	"gemini-3.1-flash-image-preview": {"3", "60"},
}

// pictures are the prices of image tokens of OpenAI's models, which the imported file
// leaves out; without them a picture would cost what text costs. gpt-image-1-mini as in
// https://developers.openai.com/api/docs/models/gpt-image-1-mini; gpt-image-1.5 as public
// price tables repeated them in 2026-11: 0.008 USD for a thousand tokens in, 0.133 USD for
// a picture of 4,160 tokens out.
var pictures = map[string]struct{ in, out string }{
	"gpt-image-1-mini": {"2.5", "8"},
	"gpt-image-1.5":    {"8", "32"},
}

// more are rows of models that came after the imported file; as genai-prices 0.2.3
// has them, with the announcements that it names.
var more = []catalog.Row{
	{
		Provider: "aws", Model: "openai.gpt-5.6-luna", Match: "^openai.gpt-5.6-luna | ~us.openai.gpt-5.6-luna",
		Rates:  catalog.Rates{Input: "1.1", CacheRead: "0.11", CacheWrite: "1.375", Output: "6.6"},
		Source: "https://docs.aws.amazon.com/bedrock/latest/userguide/model-card-openai-gpt-56-luna.html", Date: "2026-10",
	},
	{
		Provider: "aws", Model: "openai.gpt-5.6-luna", Since: "2026-07-30",
		Rates: catalog.Rates{
			Input: "0.22 >272000:0.44", CacheRead: "0.022 >272000:0.044",
			CacheWrite: "0.275 >272000:0.55", Output: "1.32 >272000:1.98",
		},
		Source: "https://aws.amazon.com/about-aws/whats-new/2026/07/openai-gpt-terra-luna-pricing-bedrock/", Date: "2026-10",
	},
}

func supplement(rows []catalog.Row) ([]catalog.Row, error) {
	for i := range rows {
		r := &rows[i]
		if r.Provider == "google" {
			if price, ok := imageModels[r.Model]; ok {
				r.Output, r.ImageOutput = price.text, price.image
			}
		}
		if price, ok := pictures[r.Model]; ok && r.Provider == "openai" {
			r.ImageInput, r.ImageOutput = price.in, price.out
		}
		if r.Provider != "anthropic" {
			continue
		}
		r.Searches = searchesPrice
		if r.CacheWrite == "" || r.CacheWrite1h != "" {
			continue
		}
		text, err := times(r.Input, hourCacheFactor)
		if err != nil {
			return nil, err
		}
		r.CacheWrite1h = text
	}
	return append(rows, more...), nil
}

// times multiplies every price of a rate: "3 >200000:6" by 2 is "6 >200000:12".
func times(rate string, n int64) (string, error) {
	fields := strings.Fields(rate)
	for i, f := range fields {
		above, price := "", f
		if at := strings.IndexByte(f, ':'); at >= 0 {
			above, price = f[:at+1], f[at+1:]
		}
		amount, err := money.Parse(price)
		if err != nil {
			return "", err
		}
		fields[i] = above + amount.Mul(n).String()
	}
	return strings.Join(fields, " "), nil
}
