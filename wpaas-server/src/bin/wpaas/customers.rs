//! Customers.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use crate::api::Api;
use crate::ask::Confirm;
use crate::failure::{Done, Failure};
use crate::output::Column;
use crate::secret;

const COLUMNS: [Column; 6] = [
    ("CID", "/cid"),
    ("NAME", "/name"),
    ("EMAIL", "/email"),
    ("USERNAME", "/username"),
    ("STATUS", "/status"),
    ("CREATED", "/created_at"),
];

/// `wpaas customers`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// All customers, for the operator
    List,
    /// One customer
    Show(Which),
    /// Registers a customer
    ///
    /// Example: wpaas customers create "Acme Magazine" --email owner@acme.example --password-file -
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// Changes what is known of a customer
    Update(Update),
    /// Stops a customer's sites, keeps their data, and allows reads only
    Suspend(Which),
    /// Ends a suspension
    Resume(Which),
    /// Deletes a customer with all that it has, after a grace period
    Delete(Delete),
    /// Takes a deletion back
    Restore(Which),
}

/// A customer.
#[derive(Debug, Args)]
pub struct Which {
    /// Its id [default: --cid, else your own]
    id: Option<String>,
}

/// A new customer.
#[derive(Debug, Args)]
pub struct Create {
    /// As people write it
    name: String,
    /// Where it is reached
    #[arg(long)]
    email: String,
    /// What it signs in with [default: the e-mail address]
    #[arg(long)]
    username: Option<String>,
    /// A file with its password, or `-`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What to change.
#[derive(Debug, Args)]
pub struct Update {
    #[command(flatten)]
    which: Which,
    /// As people write it
    #[arg(long)]
    name: Option<String>,
    /// Where it is reached
    #[arg(long)]
    email: Option<String>,
    /// What it books
    #[arg(long, value_enum)]
    plan: Option<Plan>,
    /// What the billing system calls the payer
    #[arg(long, value_name = "ID")]
    payment_identifier: Option<String>,
    /// The payment status there
    #[arg(long, value_name = "ID")]
    payment_status: Option<String>,
    /// Of a further payment account of this name, which is made if need be, instead of the customer's own
    #[arg(long, value_name = "NAME")]
    payment_account: Option<String>,
    /// A file with its new password, or `-`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What can be booked.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Plan {
    /// Pays nothing
    Free,
    /// Pays
    Paid,
}

/// What to delete.
#[derive(Debug, Args)]
pub struct Delete {
    /// Its id
    id: String,
    /// How long it can be restored, as 7d or 0 [default: the server's]
    #[arg(long)]
    grace: Option<String>,
    #[command(flatten)]
    confirm: Confirm,
}

impl Which {
    async fn id(self, api: &Api) -> Result<String, Failure> {
        match self.id {
            Some(id) => Ok(id),
            None => api.cid().await,
        }
    }
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        match self {
            Self::List => api.output.list(&COLUMNS, &api.list(&["customers"], &[]).await?),
            Self::Show(which) => {
                let id = which.id(api).await?;
                api.output.one(&COLUMNS, &api.get(&["customers", &id], &[]).await?)
            }
            Self::Create(create) => create.run(api).await,
            Self::Update(update) => update.run(api).await,
            Self::Suspend(which) => verb(api, which, "suspend").await,
            Self::Resume(which) => verb(api, which, "resume").await,
            Self::Restore(which) => verb(api, which, "restore").await,
            Self::Delete(Delete { id, grace, confirm }) => {
                confirm.ask(&format!("Delete the customer {id} with all its orgs, users and sites"))?;
                let query: Vec<_> = grace.map(|grace| ("grace", grace)).into_iter().collect();
                let gone = api.call(Method::DELETE, &["customers", &id], &query, None).await?;
                api.output.one(&COLUMNS, &gone)
            }
        }
    }
}

async fn verb(api: &Api, which: Which, verb: &str) -> Done {
    let id = which.id(api).await?;
    api.output.one(&COLUMNS, &api.call(Method::POST, &["customers", &id, verb], &[], None).await?)
}

impl Create {
    async fn run(self, api: &Api) -> Done {
        let Self { name, email, username, password_file } = self;
        let mut body = json!({"name": name, "email": email});
        if let Some(username) = username {
            body["username"] = json!(username);
        }
        secret::put(&mut body, "password", password_file.as_deref())?;
        api.output.one(&COLUMNS, &api.call(Method::POST, &["customers"], &[], Some(body)).await?)
    }
}

impl Update {
    async fn run(self, api: &Api) -> Done {
        let Self {
            which,
            name,
            email,
            plan,
            payment_identifier,
            payment_status,
            payment_account,
            password_file,
        } = self;
        let id = which.id(api).await?;
        let mut body = json!({});
        let plan = plan.map(|plan| if matches!(plan, Plan::Paid) { "paid" } else { "free" }.to_owned());
        for (field, value) in [("name", name), ("email", email), ("plan", plan)] {
            if let Some(value) = value {
                body[field] = json!(value);
            }
        }
        let mut payment = json!({});
        for (field, value) in [("identifier", payment_identifier), ("status_id", payment_status)] {
            if let Some(value) = value {
                payment[field] = json!(value);
            }
        }
        match payment_account {
            Some(account) => body["payment_accounts"] = json!({ account: payment }),
            None if payment != json!({}) => body["payment"] = payment,
            None => {}
        }
        secret::put(&mut body, "password", password_file.as_deref())?;
        api.output.one(&COLUMNS, &api.call(Method::PUT, &["customers", &id], &[], Some(body)).await?)
    }
}
