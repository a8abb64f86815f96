//! Where such bodies are read, format by format.

/// The two sides of an exchange; `@` is where the hostile value stands.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) request: &'static str,
    pub(crate) response: &'static str,
}

const fn place(
    name: &'static str,
    path: &'static str,
    request: &'static str,
    response: &'static str,
) -> Place {
    Place {
        name,
        path,
        request,
        response,
    }
}

const V1: &str = "/v1/models/m:predict";
const V2: &str = "/v2/models/m/infer";
const GENERATE: &str = "/v2/models/m/generate";
const CHAT: &str = "/v1/chat/completions";
const SELDON: &str = "/api/v1.0/predictions";
const SCORED: &str = r#"{"label":1,"score":0.5}"#;

/// For values of JSON.
pub(crate) const PLACES: &[Place] = &[
    place("iris, request", "/predict", "@", r#"{"prediction":"a"}"#),
    place(
        "iris, one of three",
        "/predict",
        "@",
        r#"{"predictions":["a","b","c"]}"#,
    ),
    place("iris, answer", "/predict", r#"{"a":1}"#, "@"),
    place(
        "iris, items",
        "/predict",
        r#"[{"a":1}]"#,
        r#"{"predictions":@}"#,
    ),
    place("iris, both", "/predict", "@", "@"),
    place(
        "iris, shares",
        "/predict",
        r#"{"a":1}"#,
        r#"{"prediction":"a","probabilities":@}"#,
    ),
    place("any, request", "/x", "@", SCORED),
    place("any, input", "/x", r#"{"input":@}"#, SCORED),
    place("any, answer", "/x", r#"{"input":[[1,2]]}"#, "@"),
    place("any, both", "/x", "@", "@"),
    place("any, input and answer", "/x", r#"{"input":@}"#, "@"),
    place(
        "json, scores",
        "/x",
        r#"{"input":[1,2]}"#,
        r#"{"label":"a","probabilities":@}"#,
    ),
    place(
        "json, labels",
        "/x",
        r#"{"input":[1,2]}"#,
        r#"{"labels":@,"scores":[0.5]}"#,
    ),
    place(
        "json, output",
        "/x",
        r#"{"input":[1,2]}"#,
        r#"{"output":@}"#,
    ),
    place(
        "tei, inputs",
        "/x",
        r#"{"inputs":@}"#,
        r#"[{"label":"a","score":0.9}]"#,
    ),
    place("tei, answer", "/x", r#"{"inputs":"a"}"#, "@"),
    place("tei, both", "/x", r#"{"inputs":@}"#, "@"),
    place("bentoml, submitted", "/a/submit", "@", r#"{"task_id":"a"}"#),
    place("bentoml, answer", "/a/submit", "[1]", "@"),
    place(
        "v1, instances",
        V1,
        r#"{"instances":@}"#,
        r#"{"predictions":[0]}"#,
    ),
    place("v1, inputs", V1, r#"{"inputs":@}"#, r#"{"outputs":[0]}"#),
    place(
        "v1, aside",
        V1,
        r#"{"a":@,"instances":[0]}"#,
        r#"{"predictions":[0]}"#,
    ),
    place(
        "v1, predictions",
        V1,
        r#"{"instances":[[1]]}"#,
        r#"{"predictions":@}"#,
    ),
    place(
        "v1, outputs",
        V1,
        r#"{"instances":[[1]]}"#,
        r#"{"outputs":@}"#,
    ),
    place(
        "v1, classes",
        V1,
        r#"{"instances":[[1]]}"#,
        r#"{"outputs":{"classes":@}}"#,
    ),
    place("v1, both", V1, r#"{"instances":@}"#, r#"{"predictions":@}"#),
    place(
        "v2, data",
        V2,
        r#"{"inputs":[{"name":"a","datatype":"FP64","shape":[1],"data":@}]}"#,
        OUTPUTS,
    ),
    place("v2, inputs", V2, r#"{"inputs":@}"#, OUTPUTS),
    place(
        "v2, shape",
        V2,
        r#"{"inputs":[{"name":"a","datatype":"FP64","shape":@,"data":[1]}]}"#,
        OUTPUTS,
    ),
    place("v2, outputs", V2, INPUTS, r#"{"outputs":@}"#),
    place(
        "v2, answer",
        V2,
        INPUTS,
        r#"{"outputs":[{"name":"a","datatype":"BYTES","shape":[1],"data":@}]}"#,
    ),
    place("v2, both", V2, r#"{"inputs":@}"#, r#"{"outputs":@}"#),
    place(
        "mlflow, frame",
        INVOKED,
        r#"{"dataframe_split":{"columns":["a"],"data":@}}"#,
        ANSWERED,
    ),
    place(
        "mlflow, columns",
        INVOKED,
        r#"{"dataframe_split":{"columns":@,"data":[[1]]}}"#,
        ANSWERED,
    ),
    place(
        "mlflow, records",
        INVOKED,
        r#"{"dataframe_records":@}"#,
        ANSWERED,
    ),
    place("mlflow, inputs", INVOKED, r#"{"inputs":@}"#, ANSWERED),
    place(
        "mlflow, answer",
        INVOKED,
        r#"{"inputs":[1]}"#,
        r#"{"predictions":@}"#,
    ),
    place(
        "sagemaker, features",
        INVOKED,
        r#"{"instances":[{"features":@}]}"#,
        ANSWERED,
    ),
    place(
        "sagemaker, instances",
        "/models/m/invoke",
        r#"{"instances":@}"#,
        ANSWERED,
    ),
    place(
        "sagemaker, scores",
        INVOKED,
        "1,2",
        r#"{"predictions":[{"score":@}]}"#,
    ),
    place(
        "sagemaker, answer",
        "/models/m/invoke",
        r#"{"instances":[[1]]}"#,
        "@",
    ),
    place("sagemaker, both", "/models/m/invoke", "@", "@"),
    place("azure, data", "/score", r#"{"data":@}"#, "[1]"),
    place("azure, input", "/score", r#"{"input_data":@}"#, "[1]"),
    place(
        "azure, frame",
        "/score",
        r#"{"input_data":{"columns":["a"],"data":@}}"#,
        "[1]",
    ),
    place("azure, answer", "/score", r#"{"data":[[1]]}"#, "@"),
    place(
        "azure, results",
        "/score",
        r#"{"data":[[1]]}"#,
        r#"{"Results":@}"#,
    ),
    place("azure, both", "/score", r#"{"data":@}"#, "@"),
    place("torchserve, request", "/predictions/m", "@", "1"),
    place("torchserve, answer", "/predictions/m", "[1]", "@"),
    place("torchserve, both", "/predictions/m", "@", "@"),
    place(
        "seldon, rows",
        SELDON,
        r#"{"data":{"ndarray":@}}"#,
        r#"{"data":{"ndarray":[1]}}"#,
    ),
    place(
        "seldon, tensor",
        SELDON,
        r#"{"data":{"tensor":{"shape":[1],"values":@}}}"#,
        r#"{"strData":"a"}"#,
    ),
    place(
        "seldon, names",
        SELDON,
        r#"{"data":{"names":@,"ndarray":[1]}}"#,
        r#"{"jsonData":{"a":1}}"#,
    ),
    place(
        "seldon, answer",
        SELDON,
        r#"{"data":{"ndarray":[1]}}"#,
        r#"{"data":{"ndarray":@}}"#,
    ),
    place(
        "seldon, meta",
        SELDON,
        r#"{"jsonData":@}"#,
        r#"{"meta":{"requestPath":@},"strData":"a"}"#,
    ),
    place(
        "openai, messages",
        CHAT,
        r#"{"model":"m","messages":@}"#,
        r#"{"choices":[]}"#,
    ),
    place(
        "openai, prompt",
        CHAT,
        r#"{"model":"m","prompt":@}"#,
        r#"{"choices":[]}"#,
    ),
    place(
        "openai, choices",
        CHAT,
        r#"{"messages":[]}"#,
        r#"{"choices":@}"#,
    ),
    place(
        "openai, text",
        CHAT,
        r#"{"messages":[]}"#,
        r#"{"choices":[{"text":@}]}"#,
    ),
    place(
        "v2 generate, input",
        GENERATE,
        r#"{"text_input":@}"#,
        r#"{"text_output":"a"}"#,
    ),
    place(
        "v2 generate, output",
        GENERATE,
        r#"{"text_input":"a"}"#,
        r#"{"text_output":@}"#,
    ),
    place(
        "tgi, inputs",
        "/generate",
        r#"{"inputs":@}"#,
        r#"{"generated_text":"a"}"#,
    ),
    place("tgi, answer", "/generate", r#"{"inputs":"a"}"#, "@"),
    place(
        "tgi, text",
        "/generate",
        r#"{"inputs":"a"}"#,
        r#"[{"generated_text":@}]"#,
    ),
    place(
        "tokens, prompt",
        "/x",
        r#"{"prompt":@}"#,
        "{\"token\":\"a\"}\n",
    ),
    place("mapped, request", "/mapped", "@", r#"{"p":[{"c":"a"}]}"#),
    place("mapped, answer", "/mapped", r#"{"a":[1]}"#, "@"),
    place("mapped, items", "/mapped", r#"{"a":[1]}"#, r#"{"p":@}"#),
    place("mapped, both", "/mapped", r#"{"a":@}"#, r#"{"p":@}"#),
];

const INPUTS: &str = r#"{"inputs":[{"name":"a","datatype":"FP64","shape":[1,1],"data":[1]}]}"#;
const OUTPUTS: &str = r#"{"outputs":[{"name":"a","datatype":"FP64","shape":[1,1],"data":[1]}]}"#;
const INVOKED: &str = "/invocations";
const ANSWERED: &str = r#"{"predictions":[1]}"#;

/// For lines: with the content types of both sides.
pub(crate) const TEXTS: &[(Place, &str, &str)] = &[
    (
        place("sagemaker, csv", INVOKED, "@", "0"),
        "text/csv",
        "text/csv",
    ),
    (
        place("sagemaker, csv answer", INVOKED, "0,1", "@"),
        "text/csv",
        "text/csv",
    ),
    (
        place("sagemaker, csv both", INVOKED, "@", "@"),
        "text/csv",
        "text/csv",
    ),
    (
        place("sagemaker, lines", INVOKED, "@", "0"),
        "application/jsonlines",
        "",
    ),
    (
        place("sagemaker, lines answer", INVOKED, "[0]", "@"),
        "",
        "application/jsonlines",
    ),
    (
        place("sagemaker, libsvm", INVOKED, "@", "0"),
        "text/libsvm",
        "",
    ),
    (
        place("mlflow, csv", INVOKED, "a\n@", ANSWERED),
        "text/csv",
        "application/json",
    ),
    (
        place("mlflow, csv names", INVOKED, "a,@", ANSWERED),
        "text/csv",
        "application/json",
    ),
    (place("azure, text", "/score", "@", "\"@\""), "", ""),
    (place("torchserve, any", "/predictions/m", "@", "@"), "", ""),
    (
        place("torchserve, form", "/predictions/m", "@", "1"),
        FORM,
        "",
    ),
    (
        place("torchserve, parts", "/predictions/m", "@", "1"),
        PARTS,
        "",
    ),
    (
        place("torchserve, data", "/predictions/m", "data=@", "1"),
        FORM,
        "",
    ),
    (
        place("seldon, form", SELDON, "@", r#"{"strData":"a"}"#),
        FORM,
        "",
    ),
    (
        place("seldon, json", SELDON, "json=@", r#"{"strData":"a"}"#),
        FORM,
        "",
    ),
    (
        place("seldon, text", SELDON, "strData=@", r#"{"strData":"a"}"#),
        FORM,
        "",
    ),
    (
        place("openai, events", CHAT, r#"{"messages":[]}"#, "@"),
        "",
        "text/event-stream",
    ),
    (
        place("openai, late", CHAT, r#"{"messages":[]}"#, "data: {}\n\n@"),
        "",
        "",
    ),
    (
        place("v2 generate, events", GENERATE, "@", "data: {}\n\n@"),
        "",
        "",
    ),
    (
        place("tgi, events", "/generate", "@", "data: {}\n\n@"),
        "",
        "",
    ),
    (
        place("tokens, lines", "/x", "@", "{\"token\":\"\"}\n@"),
        "",
        "",
    ),
    (place("any, text", "/x", "@", "@"), "", ""),
    (place("predict, text", "/predict", "@", "@"), "", ""),
];

const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=b";
