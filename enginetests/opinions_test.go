//go:build unix

package enginetests

// opinion is a request that both gateways are given.
type opinion struct{ name, path, body string }

const (
	weatherInput = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`
	pixel        = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

var opinions = []opinion{
	{"anthropic words", "/v1/messages", `{"model":"chat","max_tokens":50,"system":"Be brief.","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["END"],"metadata":{"user_id":"u1"}}`},
	{"anthropic cache_control", "/v1/messages", `{"model":"chat","max_tokens":50,"system":[{"type":"text","text":"A","cache_control":{"type":"ephemeral"}},{"type":"text","text":"B"}],"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"y","cache_control":{"type":"ephemeral"}}]}]}`},
	{"anthropic media", "/v1/messages", `{"model":"chat","max_tokens":50,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}},{"type":"image","source":{"type":"url","url":"https://a.example/x.png"}},{"type":"text","text":"what?"}]}]}`},
	{"anthropic document", "/v1/messages", `{"model":"chat","max_tokens":50,"messages":[{"role":"user","content":[{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"long text"}},{"type":"text","text":"what?"}]}]}`},
	{"anthropic tools", "/v1/messages", `{"model":"chat","max_tokens":50,"tools":[{"name":"weather","description":"d","input_schema":` + weatherInput + `}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},"messages":[{"role":"user","content":"w?"}]}`},
	{"anthropic tool results", "/v1/messages", `{"model":"chat","max_tokens":50,"tools":[{"name":"weather","input_schema":` + weatherInput + `}],"messages":[{"role":"user","content":"w?"},{"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"t1","name":"weather","input":{"city":"Paris"}},{"type":"tool_use","id":"t2","name":"weather","input":{"city":"Rome"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"20"},{"type":"text","text":"C"}]},{"type":"tool_result","tool_use_id":"t2","content":"down","is_error":true},{"type":"text","text":"and?"}]}]}`},
	{"anthropic thinking", "/v1/messages", `{"model":"thinks","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"hi"}]}`},
	{"anthropic thinking history", "/v1/messages", `{"model":"chat","max_tokens":50,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"xx"},{"type":"text","text":"hello"}]},{"role":"user","content":"more"}]}`},
	{"anthropic schema", "/v1/messages", `{"model":"chat","max_tokens":50,"output_config":{"format":{"type":"json_schema","schema":` + weatherInput + `}},"messages":[{"role":"user","content":"hi"}]}`},
	{"anthropic prefill", "/v1/messages", `{"model":"chat","max_tokens":50,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Hello, my"}]}`},
	{"anthropic refusal", "/v1/messages", `{"model":"refuses","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`},
	{"anthropic limit", "/v1/messages", `{"model":"chat","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`},
	{"anthropic rate limit", "/v1/messages", `{"model":"limited","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`},
	{"anthropic streamed", "/v1/messages", `{"model":"thinks","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}`},
	{"anthropic tool streamed", "/v1/messages", `{"model":"chat","max_tokens":50,"stream":true,"tools":[{"name":"weather","input_schema":` + weatherInput + `}],"tool_choice":{"type":"tool","name":"weather"},"messages":[{"role":"user","content":"w?"}]}`},
	{"anthropic error within", "/v1/messages", `{"model":"breaks","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}`},

	{"responses words", "/v1/responses", `{"model":"chat","instructions":"Be brief.","input":"hi","max_output_tokens":50,"temperature":0.5,"top_p":0.9,"user":"u1","metadata":{"k":"v"},"store":false,"truncation":"auto"}`},
	{"responses items", "/v1/responses", `{"model":"chat","input":[{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"https://a.example/x.png","detail":"low"}]},{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ok","annotations":[]}]},{"role":"user","content":"more"}]}`},
	{"responses tools", "/v1/responses", `{"model":"chat","input":"w?","tools":[{"type":"function","name":"weather","description":"d","parameters":` + weatherInput + `,"strict":true}],"tool_choice":"required","parallel_tool_calls":false}`},
	{"responses tool results", "/v1/responses", `{"model":"chat","input":[{"role":"user","content":"w?"},{"type":"function_call","id":"fc_1","call_id":"c1","name":"weather","arguments":"{\"city\":\"Paris\"}"},{"type":"function_call","id":"fc_2","call_id":"c2","name":"weather","arguments":"{\"city\":\"Rome\"}"},{"type":"function_call_output","call_id":"c1","output":"20"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"down"}]}],"tools":[{"type":"function","name":"weather","parameters":` + weatherInput + `,"strict":false}]}`},
	{"responses schema", "/v1/responses", `{"model":"chat","input":"hi","text":{"format":{"type":"json_schema","name":"n","schema":` + weatherInput + `,"strict":true},"verbosity":"low"}}`},
	{"responses reasoning", "/v1/responses", `{"model":"thinks","input":"hi","reasoning":{"effort":"low","summary":"auto"}}`},
	{"responses built-in tool", "/v1/responses", `{"model":"chat","input":"hi","tools":[{"type":"web_search"}]}`},
	{"responses limit", "/v1/responses", `{"model":"chat","input":"hi","max_output_tokens":1}`},
	{"responses refusal", "/v1/responses", `{"model":"refuses","input":"hi"}`},
	{"responses rate limit", "/v1/responses", `{"model":"limited","input":"hi"}`},
	{"responses streamed", "/v1/responses", `{"model":"thinks","input":"hi","stream":true}`},
	{"responses tool streamed", "/v1/responses", `{"model":"chat","input":"w?","stream":true,"tools":[{"type":"function","name":"weather","parameters":` + weatherInput + `,"strict":true}],"tool_choice":{"type":"function","name":"weather"}}`},

	{"gemini words", "/v1beta/models/chat:generateContent", `{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":50,"temperature":0.5,"topP":0.9,"topK":5,"stopSequences":["END"],"seed":7,"presencePenalty":0.1,"frequencyPenalty":0.2}}`},
	{"gemini media", "/v1beta/models/chat:generateContent", `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"` + pixel + `"}},{"text":"what?"}]}]}`},
	{"gemini tools", "/v1beta/models/chat:generateContent", `{"contents":[{"role":"user","parts":[{"text":"w?"}]}],"tools":[{"functionDeclarations":[{"name":"weather","description":"d","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}},"required":["city"]}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["weather"]}}}`},
	{"gemini tool results", "/v1beta/models/chat:generateContent", `{"contents":[{"role":"user","parts":[{"text":"w?"}]},{"role":"model","parts":[{"functionCall":{"name":"weather","args":{"city":"Paris"}}},{"functionCall":{"name":"weather","args":{"city":"Rome"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"result":"20"}}},{"functionResponse":{"name":"weather","response":{"error":"down"}}}]}],"tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":` + weatherInput + `}]}]}`},
	{"gemini schema", "/v1beta/models/chat:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"city":{"type":"STRING","nullable":true}},"required":["city"]}}}`},
	{"gemini thinking", "/v1beta/models/thinks:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":2000,"includeThoughts":true}}}`},
	{"gemini limit", "/v1beta/models/chat:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":1}}`},
	{"gemini rate limit", "/v1beta/models/limited:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	{"gemini streamed", "/v1beta/models/chat:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	{"gemini tool streamed", "/v1beta/models/chat:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"w?"}]}],"tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":` + weatherInput + `}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`},
}
