package sdktests

import "testing"

// dialects are the suites of everyone's SDKs on Fairlead's other surfaces. The targets speak OpenAI's dialect, so every
// answer is a translation, or Anthropic's or Gemini's own where the model's name says so.
var dialects = []suite{
	{"python", files(python, "dialects"), files(python, "test_real_dialects.py")},
	{"js", files(js, "dialects/anthropic.test.js", "dialects/responses.test.js", "dialects/genai.test.js", "dialects/others.test.js"), files(js, "dialects.real.test.js")},
}

func TestSDK_Dialects(t *testing.T) {
	t.Parallel()
	if direct() {
		t.Skip("FAIRLEAD_SDK_DIRECT=1: the fake translates nothing")
	}
	for _, suite := range dialects {
		t.Run(suite.name, func(t *testing.T) {
			t.Parallel()
			need(t, suite.name)
			s := fakeStack(t)
			suite.fake(t, s)
			t.Run("what upstream was sent", func(t *testing.T) { checkRequests(t, s.fake.Requests()) })
		})
	}
}
