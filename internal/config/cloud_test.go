package config_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dialect"
)

// allDialects are sources in whose program every dialect can be spoken.
func allDialects(t *testing.T, env map[string]string) *config.Sources {
	t.Helper()
	from := sources(t, env, nil)
	from.Dialects = dialect.Names()
	return from
}

func TestTarget_RegionMakesTheAddress(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse(path, []byte(`targets: { a: { provider: aws, model: m, region: eu-central-1, key: "a:b" } }`), allDialects(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cfg.Targets[0].BaseURL, "https://bedrock-runtime.eu-central-1.amazonaws.com"; got != want {
		t.Errorf("base_url %s, want %s", got, want)
	}
}

func TestTarget_SaysWhatAnAddressLooksLike(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		`provider: aws, model: m, key: "a:b"`:                       `write region: eu-central-1, or base_url: "https://bedrock-runtime.eu-central-1.amazonaws.com"`,
		`provider: aws, model: m, region: eu-central-1`:             `such as key: "${AWS_BEARER_TOKEN_BEDROCK}"`,
		`provider: aws, model: m, region: "EU/1", key: k`:           `region`,
		`provider: vertex, model: m, key: k`:                        `such as base_url: "https://REGION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/REGION/publishers/google"`,
		`provider: azure, model: m, key: k`:                         `such as base_url: "https://RESOURCE.openai.azure.com/openai/v1"`,
		`provider: runpod, model: m, key: k`:                        `such as base_url: "https://api.runpod.ai/v2/ENDPOINT/openai/v1"`,
		`provider: banana, model: m, key: k`:                        `Banana closed in 2024 and answers no one: deploy the model at modal, runpod, baseten or beam instead`,
		`provider: Banana, base_url: "https://x.example", model: m`: `Banana closed`,
	} {
		_, err := config.Parse(path, []byte("targets: { a: { "+yaml+" } }"), allDialects(t, nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", yaml, err, want)
		}
	}
}

func TestDiscover_JoinsWhatAWSKeepsApart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env              map[string]string
		line, key, model string
	}{
		"two and a region": {
			map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1"},
			"Amazon Bedrock: AWS_ACCESS_KEY_ID is set (aws)", "AKID:s", "eu.amazon.nova-lite-v1:0",
		},
		"a session": {
			map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_DEFAULT_REGION": "ap-northeast-1"},
			"Amazon Bedrock: AWS_ACCESS_KEY_ID is set (aws)", "AKID:s:t", "apac.amazon.nova-lite-v1:0",
		},
		"a token of Bedrock's own": {
			map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "ABSK", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"},
			"Amazon Bedrock: AWS_BEARER_TOKEN_BEDROCK is set (aws)", "ABSK", "us.amazon.nova-lite-v1:0",
		},
		"no region": {
			map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"},
			"Amazon Bedrock: AWS_ACCESS_KEY_ID is set, but no region; export AWS_REGION, or name a target for it in fairlead.yaml", "", "",
		},
		"half a key": {map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_REGION": "us-east-1"}, "Hosted providers: no key in the environment; export one, such as OPENAI_API_KEY", "", ""},
		"a part of the world without profiles": {
			map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "ABSK", "AWS_REGION": "sa-east-1"},
			"Amazon Bedrock: AWS_BEARER_TOKEN_BEDROCK is set, but which model to use is not known; name a target for it in fairlead.yaml", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, found, err := config.Discover(t.Context(), config.Discovery{From: allDialects(t, tc.env), Probe: answers(nil)})
			if err != nil {
				t.Fatal(err)
			}
			if got := found[len(found)-1].String(); got != tc.line {
				t.Errorf("%s\nwant %s", got, tc.line)
			}
			target, ok := cfg.Target("aws")
			if ok != (tc.key != "") {
				t.Fatalf("target %v", ok)
			}
			if !ok {
				return
			}
			if key, err := target.Key.Reveal(); key != tc.key || err != nil || target.Model != tc.model || !strings.Contains(target.BaseURL, target.Region+".amazonaws.com") {
				t.Errorf("%s %s %s %v", key, target.Model, target.BaseURL, err)
			}
		})
	}
}
