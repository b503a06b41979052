//! Lists of authorities, completion, and how often a name is used.

use entity::authority_forms;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use uuid::Uuid;

use super::authority::{Authority, columns, not_found};
use super::file::AuthorityFile;
use super::forms::folded_form;
use crate::Pharos;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::json::filter::Reach;
use crate::lists::{Field, Holds, ListRequest, Page, Source, Table, all_rows};

const fn table(fields: &'static [&'static [Field]]) -> Table {
    Table {
        fields,
        key: "id",
        default_sort: "name",
    }
}

const fn fields(table: &'static str) -> [Field; 5] {
    [
        Field::new(table, "id", Holds::Id).sortable(),
        Field::new(table, "name", Holds::Text).sortable(),
        Field::new(table, "version", Holds::Integer).sortable(),
        Field::new(table, "created_at", Holds::Time).sortable(),
        Field::new(table, "updated_at", Holds::Time).sortable(),
    ]
}

const SUBJECT_FIELDS: [Field; 5] = fields("authority_subjects");
const CREATOR_FIELDS: [Field; 5] = fields("authority_creators");
const PUBLISHER_FIELDS: [Field; 5] = fields("authority_publishers");

pub(crate) const SUBJECTS: Table = table(&[&SUBJECT_FIELDS]);
const CREATORS: Table = table(&[&CREATOR_FIELDS]);
const PUBLISHERS: Table = table(&[&PUBLISHER_FIELDS]);

fn listed(file: AuthorityFile) -> &'static Table {
    match file {
        AuthorityFile::Subjects => &SUBJECTS,
        AuthorityFile::Creators => &CREATORS,
        AuthorityFile::Publishers => &PUBLISHERS,
    }
}

/// Which authorities are listed.
#[derive(Debug, Clone, Default)]
pub struct AuthorityList {
    pub list: ListRequest,
    /// Only those of which the name or a variant begins so; case, accents and spacing do not count.
    pub prefix: Option<String>,
}

struct Counted {
    name: String,
    count: i64,
}

impl FromRow for Counted {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            name: row.get(0)?,
            count: row.get(1)?,
        })
    }
}

impl Pharos {
    /// Authorities of a file, by name unless asked otherwise.
    pub async fn list_authorities(
        &self,
        file: AuthorityFile,
        request: &AuthorityList,
    ) -> Result<Page<Authority>, Error> {
        let mut rows = all_rows(file.table());
        let prefix = request.prefix.as_deref().unwrap_or("");
        if !prefix.trim().is_empty() {
            rows.and_where(begins(file, prefix));
        }
        let source = Source {
            name: format!("authorities/{}/{prefix}", file.as_str()),
            table: listed(file),
            rows,
        };
        let mut page = self
            .list_rows(&source, &request.list, columns(file))
            .await?;
        self.count_usages(file, &mut page.items).await?;
        Ok(page)
    }

    /// Reads an authority.
    pub async fn find_authority(&self, file: AuthorityFile, id: Uuid) -> Result<Authority, Error> {
        let select = Query::select()
            .exprs(columns(file))
            .from(file.table())
            .and_where(Expr::col((file.table(), "id")).eq(id))
            .take();
        let found = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        let mut found = [found.ok_or_else(|| not_found(file, id))?];
        self.count_usages(file, &mut found).await?;
        let [found] = found;
        Ok(found)
    }

    /// Fills the counts in that the list could not read along.
    async fn count_usages(
        &self,
        file: AuthorityFile,
        authorities: &mut [Authority],
    ) -> Result<(), Error> {
        match file {
            AuthorityFile::Creators => {}
            AuthorityFile::Subjects => {
                for authority in authorities {
                    authority.usage_count = self.count_usage(file, &authority.name).await?;
                }
            }
            // There is no index: all resources are read, once.
            AuthorityFile::Publishers if !authorities.is_empty() => {
                let names: Vec<&str> = authorities.iter().map(|it| it.name.as_str()).collect();
                let publisher = Expr::col(("resources", file.column()));
                let count = Query::select()
                    .expr(publisher.clone())
                    .expr(Func::count(Expr::col(("resources", "id"))))
                    .from("resources")
                    .and_where(publisher.clone().is_in(names))
                    .add_group_by([publisher])
                    .take();
                let counted: Vec<Counted> =
                    self.database.fetch_all(self.database.build(&count)).await?;
                for Counted { name, count } in counted {
                    if let Some(authority) = authorities.iter_mut().find(|it| it.name == name) {
                        authority.usage_count = count;
                    }
                }
            }
            AuthorityFile::Publishers => {}
        }
        Ok(())
    }

    /// How many resources have a name, in this very form.
    pub(super) async fn count_usage(&self, file: AuthorityFile, name: &str) -> Result<i64, Error> {
        let condition = match file {
            AuthorityFile::Subjects => self.has_subject(name, Reach::All).await?,
            AuthorityFile::Creators | AuthorityFile::Publishers => {
                Expr::col(("resources", file.column())).eq(name)
            }
        };
        let count = Query::select()
            .expr(Func::count(Expr::col(("resources", "id"))))
            .from("resources")
            .and_where(condition)
            .take();
        let counted = self.database.fetch_one(self.database.build(&count)).await?;
        Ok(counted.unwrap_or(0))
    }
}

/// Authorities with a form that begins so.
fn begins(file: AuthorityFile, prefix: &str) -> Expr {
    use authority_forms::{Column, Entity};

    let prefix = folded_form(prefix);
    let folded = Expr::col(Column::Folded);
    let owners = Query::select()
        .column(Column::AuthorityId)
        .from(Entity)
        .and_where(Expr::col(Column::File).eq(file.as_str()))
        .and_where(Expr::col(Column::AuthorityId).is_not_null())
        .and_where(folded.clone().gte(prefix.as_str()))
        .and_where(folded.lt(format!("{prefix}{}", char::MAX)))
        .take();
    Expr::col((file.table(), "id")).in_subquery(owners)
}
