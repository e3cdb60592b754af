//! The table of secrets: id, severity, name, keywords, pattern, shape. Formats are those that the issuers document or show
//! in their consoles. A pattern begins with its keyword; its first group is the secret, else all of it.

use plimsoll_model::Severity::{self, Critical, High, Low, Medium};

use super::{
    SecretKind,
    shape::Shape::{self, BasicAuth, Bech32, Crc32Base62, Crc32Hex, Jwt, Key, Macaroon, Password, Random},
};
use crate::check::Kind;

const HINT: &str = "revoke it, rebuild without the layer that holds it, and give it to builds as build secret, to containers at their start";

const fn row(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    shape: Shape,
) -> SecretKind {
    SecretKind {
        kind: Kind {
            id,
            severity,
            benchmark: Some("CIS Docker 4.10"),
            title,
            hint: HINT,
        },
        keywords,
        pattern,
        shape,
    }
}

pub(super) const TABLES: &[&[SecretKind]] = &[CLOUDS, CODE, PACKAGES, SERVICES, MODELS, KEYS, PASSWORDS];

#[rustfmt::skip]
const CLOUDS: &[SecretKind] = &[
    row("secret-aws-access-key", High, "AWS access key id", &["AKIA", "ASIA", "ABIA", "ACCA"], r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}", Random),
    row("secret-aws-secret-key", Critical, "AWS secret access key",
        &["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "aws_secret_key", "SecretAccessKey", "secretAccessKey"],
        r#"(?:aws_secret_access_key|AWS_SECRET_ACCESS_KEY|aws_secret_key|SecretAccessKey|secretAccessKey)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9/+]{40})"#, Random),
    row("secret-aws-session-token", High, "AWS session token", &["aws_session_token", "AWS_SESSION_TOKEN", "SessionToken"],
        r#"(?:aws_session_token|AWS_SESSION_TOKEN|SessionToken)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9/+]{100,1000}={0,2})"#, Random),
    row("secret-aws-bedrock-key", High, "AWS Bedrock API key", &["ABSKQmVkcm9ja0FQSUtleS"], r"ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{80,120}={0,2}", Random),
    row("secret-azure-storage-key", Critical, "Azure storage account key", &["AccountKey="], r"AccountKey=([A-Za-z0-9+/]{86}==)", Random),
    row("secret-azure-bus-key", High, "Azure Service Bus or Event Hubs key", &["SharedAccessKey="], r"SharedAccessKey=([A-Za-z0-9+/]{43}=)", Random),
    row("secret-azure-client", Critical, "Microsoft Entra client secret",
        &["client_secret", "CLIENT_SECRET", "clientSecret", "ClientSecret"],
        r#"(?:client_secret|CLIENT_SECRET|clientSecret|ClientSecret)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34})"#, Random),
    row("secret-gcp-service-account", Critical, "Google Cloud service account key", &["\"private_key_id\""],
        r#""private_key_id"\s{0,3}:\s{0,3}"([0-9a-f]{40})""#, Random),
    row("secret-google-api-key", Medium, "Google API key", &["AIza"], r"AIza[A-Za-z0-9_-]{35}", Random),
    row("secret-google-oauth-client", High, "Google OAuth client secret", &["GOCSPX-"], r"GOCSPX-[A-Za-z0-9_-]{28}", Random),
    row("secret-google-oauth-token", High, "Google OAuth access token", &["ya29."], r"ya29\.[A-Za-z0-9_-]{60,400}", Random),
    row("secret-digitalocean-token", Critical, "DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], r"do[opr]_v1_[0-9a-f]{64}", Random),
    row("secret-alibaba-access-key", High, "Alibaba Cloud access key id", &["LTAI"], r"LTAI[A-Za-z0-9]{20}", Random),
    row("secret-linode-token", High, "Linode token", &["LINODE_TOKEN", "linode_token", "LINODE_CLI_TOKEN"],
        r#"(?:LINODE_TOKEN|linode_token|LINODE_CLI_TOKEN)["']?\s{0,3}[:=]\s{0,3}["']?([0-9a-f]{64})"#, Random),
    row("secret-hetzner-token", High, "Hetzner Cloud token", &["HCLOUD_TOKEN", "hcloud_token"],
        r#"(?:HCLOUD_TOKEN|hcloud_token)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9]{64})"#, Random),
    row("secret-heroku-key", High, "Heroku API key", &["HRKU-"], r"HRKU-[A-Za-z0-9_-]{36,60}", Random),
    row("secret-fly-token", High, "Fly.io token", &["fm1_", "fm2_", "fo1_"], r"f(?:m1|m2|o1)_[A-Za-z0-9+/_-]{43,1000}={0,2}", Random),
    row("secret-scaleway-key", High, "Scaleway secret key", &["SCW_SECRET_KEY"],
        r#"SCW_SECRET_KEY["']?\s{0,3}[:=]\s{0,3}["']?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"#, Random),
    row("secret-cloudflare-token", High, "Cloudflare API token", &["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN", "cloudflare_api_token"],
        r#"(?:CLOUDFLARE_API_TOKEN|CF_API_TOKEN|cloudflare_api_token)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_-]{40})"#, Random),
    row("secret-cloudflare-origin-key", High, "Cloudflare origin CA key", &["v1.0-"], r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}", Random),
    row("secret-vault-token", Critical, "HashiCorp Vault token", &["hvs.", "hvb.", "hvr."], r"hv[sbr]\.[A-Za-z0-9_-]{24,300}", Random),
    row("secret-terraform-token", High, "HCP Terraform token", &[".atlasv1."], r"\.atlasv1\.[A-Za-z0-9_=-]{60,70}", Random),
    row("secret-pulumi-token", High, "Pulumi access token", &["pul-"], r"pul-[0-9a-f]{40}", Random),
    row("secret-doppler-token", High, "Doppler token", &["dp.pt.", "dp.st.", "dp.sa.", "dp.ct."], r"dp\.(?:pt|sa|ct|st\.[a-z0-9_-]{2,35})\.[A-Za-z0-9]{40,44}", Random),
    row("secret-tailscale-key", High, "Tailscale key", &["tskey-"], r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{10,20}-[A-Za-z0-9]{20,40}", Random),
];

#[rustfmt::skip]
const CODE: &[SecretKind] = &[
    row("secret-github-token", Critical, "GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"gh[pousr]_[A-Za-z0-9]{36}", Crc32Base62),
    row("secret-github-fine-grained-token", Critical, "GitHub fine-grained token", &["github_pat_"], r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", Random),
    row("secret-gitlab-token", Critical, "GitLab personal, group or project token", &["glpat-"], r"glpat-[A-Za-z0-9_-]{20,300}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?", Random),
    row("secret-gitlab-runner-token", High, "GitLab runner token", &["glrt-", "GR1348941"], r"(?:glrt-|GR1348941)[A-Za-z0-9_-]{20,60}", Random),
    row("secret-gitlab-deploy-token", High, "GitLab deploy, job, trigger, agent or feed token",
        &["gldt-", "glcbt-", "glptt-", "glagent-", "glft-", "glsoat-", "glimt-"], r"gl(?:dt|cbt|ptt|agent|ft|soat|imt)-[A-Za-z0-9_-]{20,60}", Random),
    row("secret-bitbucket-token", High, "Bitbucket app password", &["ATBB"], r"ATBB[A-Za-z0-9]{24}[A-F0-9]{8}", Random),
    row("secret-atlassian-token", High, "Atlassian API token", &["ATATT3xFfGF0"], r"ATATT3xFfGF0[A-Za-z0-9_-]{150,200}=[A-F0-9]{8}", Random),
    row("secret-sourcegraph-token", High, "Sourcegraph token", &["sgp_"], r"sgp_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40}", Random),
    row("secret-circleci-token", High, "CircleCI token", &["CCIPAT_", "CCIPRJ_"], r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}", Random),
    row("secret-buildkite-token", High, "Buildkite token", &["bkua_"], r"bkua_[0-9a-f]{40}", Random),
    row("secret-sonar-token", Medium, "SonarQube token", &["squ_", "sqp_", "sqa_"], r"sq[upa]_[0-9a-f]{40}", Random),
    row("secret-snyk-token", Medium, "Snyk token", &["SNYK_TOKEN", "snyk_token"],
        r#"(?:SNYK_TOKEN|snyk_token)["']?\s{0,3}[:=]\s{0,3}["']?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"#, Random),
    row("secret-postman-key", Medium, "Postman API key", &["PMAK-"], r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", Random),
];

#[rustfmt::skip]
const PACKAGES: &[SecretKind] = &[
    row("secret-npm-token", Critical, "npm access token", &["npm_"], r"npm_[A-Za-z0-9]{36}", Crc32Base62),
    row("secret-npmrc-token", High, "token of a package registry in `.npmrc`", &["_authToken"],
        r#"_authToken\s{0,3}=\s{0,3}["']?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"#, Random),
    row("secret-pypi-token", Critical, "PyPI token", &["pypi-AgE"], r"pypi-(AgE[A-Za-z0-9_-]{60,600})", Macaroon),
    row("secret-rubygems-key", Critical, "RubyGems API key", &["rubygems_"], r"rubygems_[0-9a-f]{48}", Random),
    row("secret-nuget-key", High, "NuGet API key", &["oy2"], r"oy2[a-z0-9]{43}", Random),
    row("secret-clojars-token", High, "Clojars deploy token", &["CLOJARS_"], r"CLOJARS_[0-9a-f]{60}", Random),
    row("secret-crates-token", High, "crates.io token", &["CARGO_REGISTRY_TOKEN", "token = \"cio"],
        r#"(?:CARGO_REGISTRY_TOKEN\s{0,3}=\s{0,3}["']?|token = ")(cio[A-Za-z0-9]{32})"#, Random),
    row("secret-docker-token", Critical, "Docker Hub token", &["dckr_pat_", "dckr_oat_"], r"dckr_[po]at_[A-Za-z0-9_-]{27,40}", Random),
    row("secret-registry-login", High, "login of a container registry", &["\"auth\""], r#""auth"\s{0,3}:\s{0,3}"([A-Za-z0-9+/]{8,400}={0,2})""#, BasicAuth),
    row("secret-artifactory-key", High, "Artifactory API key or token", &["AKCp", "cmVmdGtu"], r"(?:AKCp[A-Za-z0-9]{60,70}|cmVmdGtu[A-Za-z0-9]{56})", Random),
    row("secret-maven-password", Medium, "password in Maven's settings", &["<password>"], r"<password>([^<>\s{}$]{8,100})</password>", Password),
];

#[rustfmt::skip]
const SERVICES: &[SecretKind] = &[
    row("secret-slack-token", High, "Slack token", &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-"], r"xox[bpares]-[0-9]{1,13}-[A-Za-z0-9-]{20,200}", Random),
    row("secret-slack-app-token", High, "Slack app token", &["xapp-"], r"xapp-[0-9]-[A-Z0-9]{9,13}-[0-9]{10,14}-[0-9a-f]{64}", Random),
    row("secret-slack-webhook", Medium, "Slack webhook", &["hooks.slack.com/"], r"hooks\.slack\.com/(?:services|workflows|triggers)/(T[A-Z0-9]{8,11}/[A-Za-z0-9]{8,13}/[A-Za-z0-9]{20,26})", Random),
    row("secret-discord-webhook", Medium, "Discord webhook", &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        r"discord(?:app)?\.com/api/webhooks/([0-9]{17,20}/[A-Za-z0-9_-]{60,72})", Random),
    row("secret-discord-token", High, "Discord bot token", &["DISCORD_TOKEN", "DISCORD_BOT_TOKEN", "discord_token"],
        r#"(?:DISCORD_TOKEN|DISCORD_BOT_TOKEN|discord_token)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})"#, Random),
    row("secret-telegram-token", High, "Telegram bot token", &["api.telegram.org/bot", "TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN", "telegram_token"],
        r#"(?:api\.telegram\.org/bot|(?:TELEGRAM_BOT_TOKEN|TELEGRAM_TOKEN|telegram_token)["']?\s{0,3}[:=]\s{0,3}["']?)([0-9]{8,10}:AA[A-Za-z0-9_-]{33})"#, Random),
    row("secret-teams-webhook", Medium, "Microsoft Teams webhook", &[".webhook.office.com/webhookb2/"],
        r"\.webhook\.office\.com/webhookb2/([0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36})", Random),
    row("secret-stripe-key", Critical, "Stripe secret key", &["sk_live_", "rk_live_"], r"[sr]k_live_[A-Za-z0-9]{24,247}", Random),
    row("secret-stripe-test-key", Low, "Stripe test key", &["sk_test_", "rk_test_"], r"[sr]k_test_[A-Za-z0-9]{24,247}", Random),
    row("secret-stripe-webhook", High, "Stripe webhook secret", &["whsec_"], r"whsec_[A-Za-z0-9+/]{32,64}={0,2}", Random),
    row("secret-square-token", High, "Square token", &["sq0atp-", "sq0csp-", "sq0idp-"], r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,43}", Random),
    row("secret-paypal-token", High, "Braintree or PayPal access token", &["access_token$production$"], r"access_token\$production\$[0-9a-z]{16}\$[0-9a-f]{32}", Random),
    row("secret-shopify-token", High, "Shopify token", &["shpat_", "shpca_", "shppa_", "shpss_"], r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", Random),
    row("secret-twilio-key", High, "Twilio auth token or API key secret", &["TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET", "twilio_auth_token"],
        r#"(?:TWILIO_AUTH_TOKEN|TWILIO_API_SECRET|twilio_auth_token)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9]{32})"#, Random),
    row("secret-sendgrid-key", High, "SendGrid API key", &["SG."], r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", Random),
    row("secret-mailgun-key", High, "Mailgun API key", &["MAILGUN_API_KEY", "mailgun_api_key", "api:key-"],
        r#"(?:(?:MAILGUN_API_KEY|mailgun_api_key)["']?\s{0,3}[:=]\s{0,3}["']?(?:key-)?|api:key-)([0-9a-f]{32})"#, Random),
    row("secret-mailchimp-key", High, "Mailchimp API key", &["MAILCHIMP_API_KEY", "mailchimp_api_key"],
        r#"(?:MAILCHIMP_API_KEY|mailchimp_api_key)["']?\s{0,3}[:=]\s{0,3}["']?([0-9a-f]{32}-us[0-9]{1,2})"#, Random),
    row("secret-brevo-key", High, "Brevo API key", &["xkeysib-"], r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}", Random),
    row("secret-datadog-key", Medium, "Datadog API or application key", &["DD_API_KEY", "DD_APP_KEY", "DATADOG_API_KEY", "DATADOG_APP_KEY"],
        r#"(?:DD|DATADOG)_A(?:PI|PP)_KEY["']?\s{0,3}[:=]\s{0,3}["']?([0-9a-f]{32,40})"#, Random),
    row("secret-newrelic-key", Medium, "New Relic key", &["NRAK-", "NRJS-", "NRII-"], r"NR(?:AK-[A-Z0-9]{27}|JS-[0-9a-f]{19}|II-[A-Za-z0-9_-]{32})", Random),
    row("secret-grafana-token", High, "Grafana service account token", &["glsa_"], r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}", Crc32Hex),
    row("secret-grafana-cloud-token", High, "Grafana Cloud token", &["glc_eyJ"], r"glc_(eyJ[A-Za-z0-9+/]{60,400}={0,2})", Random),
    row("secret-sentry-token", High, "Sentry token", &["sntrys_", "sntryu_"], r"sntry(?:s_eyJ[A-Za-z0-9+/_=]{80,400}|u_[0-9a-f]{64})", Random),
    row("secret-dynatrace-token", High, "Dynatrace token", &["dt0c01.", "dt0s01."], r"dt0[cs]01\.[A-Z0-9]{24}\.[A-Z0-9]{64}", Random),
    row("secret-pagerduty-key", Medium, "PagerDuty API key", &["PAGERDUTY_API_KEY", "PAGERDUTY_TOKEN", "pagerduty_token"],
        r#"(?:PAGERDUTY_API_KEY|PAGERDUTY_TOKEN|pagerduty_token)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_+-]{20})"#, Random),
    row("secret-linear-key", Medium, "Linear API key", &["lin_api_"], r"lin_api_[A-Za-z0-9]{40}", Random),
    row("secret-notion-token", Medium, "Notion token", &["ntn_"], r"ntn_[0-9]{11}[A-Za-z0-9]{35}", Random),
    row("secret-figma-token", Medium, "Figma token", &["figd_"], r"figd_[A-Za-z0-9_-]{40}", Random),
    row("secret-databricks-token", High, "Databricks token", &["dapi"], r"dapi[0-9a-f]{32}(?:-[0-9])?", Random),
    row("secret-planetscale-token", High, "PlanetScale token or password", &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,64}", Random),
    row("secret-supabase-token", High, "Supabase token", &["sbp_"], r"sbp_[0-9a-f]{40}", Random),
    row("secret-1password-token", Critical, "1Password service account token", &["ops_eyJ"], r"ops_(eyJ[A-Za-z0-9+/_-]{200,2000}={0,3})", Random),
    row("secret-easypost-key", Medium, "EasyPost API key", &["EZAK", "EZTK"], r"EZ[AT]K[A-Za-z0-9]{54}", Random),
    row("secret-netlify-token", High, "Netlify token", &["nfp_"], r"nfp_[A-Za-z0-9]{36}", Random),
];

#[rustfmt::skip]
const MODELS: &[SecretKind] = &[
    row("secret-openai-key", High, "OpenAI API key", &["sk-"], r"sk-(?:(?:proj|svcacct|admin)-)?[A-Za-z0-9_-]{20,80}T3BlbkFJ[A-Za-z0-9_-]{20,80}", Random),
    row("secret-anthropic-key", High, "Anthropic API key", &["sk-ant-"], r"sk-ant-(?:api|admin|oat)[0-9]{2}-[A-Za-z0-9_-]{80,110}", Random),
    row("secret-huggingface-token", High, "Hugging Face token", &["hf_"], r"hf_([A-Za-z]{34})", Password),
    row("secret-replicate-token", Medium, "Replicate token", &["r8_"], r"r8_[A-Za-z0-9]{37}", Random),
    row("secret-groq-key", Medium, "Groq API key", &["gsk_"], r"gsk_[A-Za-z0-9]{52}", Random),
    row("secret-perplexity-key", Medium, "Perplexity API key", &["pplx-"], r"pplx-[A-Za-z0-9]{48}", Random),
    row("secret-xai-key", Medium, "xAI API key", &["xai-"], r"xai-[A-Za-z0-9]{80}", Random),
    row("secret-langsmith-key", Medium, "LangSmith API key", &["lsv2_pt_", "lsv2_sk_"], r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", Random),
];

#[rustfmt::skip]
const KEYS: &[SecretKind] = &[
    row("secret-private-key", High, "private key", &["-----BEGIN "],
        r"-----BEGIN (?:RSA |EC |DSA |OPENSSH )?PRIVATE KEY-----(?:\\r)?(?:\\n|\s){1,4}([A-Za-z0-9+/=\s\\]{64,2000})", Key),
    row("secret-encrypted-private-key", Medium, "private key behind a passphrase", &["-----BEGIN "],
        r"-----BEGIN (?:ENCRYPTED PRIVATE KEY-----\s{1,4}|(?:RSA |EC |DSA )PRIVATE KEY-----\s{1,4}Proc-Type: 4,ENCRYPTED\s{1,4}DEK-Info: [A-Z0-9-]{4,20},[0-9A-F]{8,64}\s{1,8})([A-Za-z0-9+/=\s]{64,2000})", Random),
    row("secret-pgp-private-key", High, "OpenPGP private key", &["-----BEGIN PGP PRIVATE KEY BLOCK"],
        r"-----BEGIN PGP PRIVATE KEY BLOCK-----\s{1,4}(?:[A-Z][a-z]{3,12}: [^\n]{1,80}\n){0,5}\s{0,4}([A-Za-z0-9+/=\s]{64,2000})", Key),
    row("secret-putty-key", High, "PuTTY private key", &["PuTTY-User-Key-File-"], r"PuTTY-User-Key-File-[23]: (?:ssh-[a-z0-9]{3,7}|ecdsa-sha2-nistp[0-9]{3})\s{1,2}Encryption: none", Random),
    row("secret-age-key", Critical, "age identity", &["AGE-SECRET-KEY-1"], r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}", Bech32),
    row("secret-kubeconfig-key", Critical, "client key in a kubeconfig", &["client-key-data:"], r"client-key-data:\s{0,4}(LS0tLS1CRUdJTi[A-Za-z0-9+/]{100,4000}={0,2})", Random),
    row("secret-wireguard-key", High, "WireGuard private key", &["PrivateKey = "], r"PrivateKey = ([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)", Random),
    row("secret-jwt", Medium, "JSON Web Token", &["eyJ"], r"eyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,1500}\.[A-Za-z0-9_-]{20,800}", Jwt),
    row("secret-jwk", High, "private JSON Web Key", &["\"kty\""],
        r#""kty"\s{0,2}:\s{0,2}"(?:EC|RSA|OKP)"[^{}]{0,1500}"d"\s{0,2}:\s{0,2}"([A-Za-z0-9_-]{40,700})""#, Random),
];

#[rustfmt::skip]
const PASSWORDS: &[SecretKind] = &[
    row("secret-url-password", High, "password in a URL", &["://"], r#"://[A-Za-z0-9._%+-]{1,64}:([^\s:/@"'<>\[\]{}()$`,;\\|*]{4,128})@[A-Za-z0-9.-]{3,200}"#, Password),
    row("secret-netrc-password", High, "login in `.netrc`", &["machine "],
        r"machine [A-Za-z0-9.-]{3,100}\s{1,8}login [^\s]{1,100}\s{1,8}password ([^\s#]{4,200})", Password),
    row("secret-mysql-password", Medium, "password in MySQL's options", &["[client]", "[mysql]"],
        r#"\[(?:client|mysql)\]\s{1,4}(?:[a-z_-]{2,20}\s{0,2}=\s{0,2}[^\n]{0,100}\n){0,5}password\s{0,2}=\s{0,2}["']?([^\s"'#]{4,100})"#, Password),
    row("secret-rails-key", High, "Rails secret key base", &["secret_key_base", "SECRET_KEY_BASE"], r#"(?:secret_key_base|SECRET_KEY_BASE)["']?\s{0,3}[:=]\s{0,3}["']?([0-9a-f]{128})"#, Random),
    row("secret-django-key", Medium, "Django secret key", &["django-insecure-"], r#"django-insecure-[A-Za-z0-9!@#%^&*()=+_-]{50}"#, Random),
    row("secret-laravel-key", High, "Laravel application key", &["APP_KEY="], r"APP_KEY=base64:([A-Za-z0-9+/]{43}=)", Random),
    row("secret-ansible-vault", Low, "Ansible vault", &["$ANSIBLE_VAULT;"], r"\$ANSIBLE_VAULT;1\.[12];AES256(?:;[a-z0-9_-]{1,40})?\s{1,2}([0-9]{60,80})", Password),
    row("secret-htpasswd", Medium, "password's hash in a file of logins", &[":$apr1$", ":$2y$", ":$2a$", ":$2b$"],
        r":\$(?:apr1\$[A-Za-z0-9./]{8}\$[A-Za-z0-9./]{22}|2[aby]\$[0-9]{2}\$[A-Za-z0-9./]{53})", Random),
];
