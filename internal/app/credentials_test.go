package app

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dialect"
)

func TestHouse_KeysOfClouds(t *testing.T) {
	t.Parallel()
	prices, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	const vertexAt = `provider: vertex, model: gemini-2.5-flash, base_url: "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google"`
	for name, tc := range map[string]struct {
		yaml, header string
		signed       bool
		err          string
	}{
		"aws, both parts":            {yaml: `provider: aws, model: m, region: eu-west-1, key: "AKID:s"`, signed: true},
		"aws, by the host":           {yaml: `provider: aws, model: m, base_url: "https://bedrock-runtime.eu-west-1.amazonaws.com", key: "AKID:s"`, signed: true},
		"aws, a token":               {yaml: `provider: aws, model: m, region: eu-west-1, key: ABSK`, header: "Bearer ABSK"},
		"aws, nowhere":               {yaml: `provider: aws, model: m, base_url: "https://proxy.example", key: "AKID:s"`, err: "the host proxy.example names no AWS region to sign for: set region"},
		"aws, a proxy with a region": {yaml: `provider: aws, model: m, base_url: "https://proxy.example", region: eu-west-1, key: "AKID:s"`, signed: true},
		"google, the account's file": {yaml: vertexAt + `, key: "file:account.json"`, signed: true},
		"google, an access token":    {yaml: vertexAt + `, key: ya29.token`, header: "Bearer ya29.token"},
		"google, the file's name":    {yaml: vertexAt + `, key: /etc/account.json`, err: `write file: before it, such as key: "file:${GOOGLE_APPLICATION_CREDENTIALS}"`},
		"google, another JSON":       {yaml: vertexAt + `, key: '{"type":"authorized_user"}'`, err: "service_account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := &config.Sources{
				Providers: prices, Dialects: dialect.Names(), Env: func(string) (string, bool) { return "", false },
				ReadFile: func(string, int64) ([]byte, error) { return googleAccount(t), nil },
			}
			cfg, err := config.Parse("fairlead.yaml", []byte("targets: { t: { "+tc.yaml+" } }"), from)
			if err != nil {
				t.Fatal(err)
			}
			target, err := newBuilder(prices, nil).target(&cfg.Targets[0], &pricing{})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := target.Endpoint.Header.Get("Authorization"); got != tc.header || (target.Endpoint.Sign != nil) != tc.signed {
				t.Errorf("header %q, signed %v", got, target.Endpoint.Sign != nil)
			}
		})
	}
}
