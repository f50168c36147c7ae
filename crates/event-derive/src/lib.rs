//! `#[derive(EventFamily)]`: an event is declared once, as a variant with its fields; its type, version and personal
//! parts follow from that declaration.
//!
//! ```text
//! #[derive(EventFamily)]
//! #[event_family(aggregate = "job")]          the aggregate; optional: upcasters = PATH, data_key = FIELD
//! enum JobEvent {
//!     #[event(version = 2)]                   optional; versions count from 1
//!     JobCreated {
//!         #[personal(url, file_name)]         these members of the field are personal
//!         source: MediaSource,
//!         #[personal]                         the whole field is personal
//!         webhook_url: Option<Url>,
//!     },
//! }
//! ```
//!
//! It implements `ytcaption_domain::event::EventFamily` and `cqrs_es::DomainEvent`, and adds a constant of type
//! `EventType` for each variant (`JobEvent::JOB_CREATED`) and the method `event(&self) -> EventType`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Lit, LitInt, LitStr, Meta, Path, Token, Type};

/// See the crate's documentation.
#[proc_macro_derive(EventFamily, attributes(event_family, event, personal))]
pub fn event_family(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// What `#[event_family(…)]` says.
struct Family {
    aggregate: LitStr,
    upcasters: Option<Path>,
    data_key: Option<Ident>,
}

fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let Data::Enum(declaration) = &input.data else {
        return Err(Error::new_spanned(input, "an event family is an enum with a variant for each event"));
    };
    let name = &input.ident;
    let family = Family::from_attributes(input)?;
    let aggregate = &family.aggregate;
    let (mut constants, mut of_variant, mut listed) = (vec![], vec![], vec![]);
    for variant in &declaration.variants {
        let event = &variant.ident;
        let constant = format_ident!("{}", screaming_snake_case(&event.to_string()));
        let version = version(&variant.attrs)?;
        let parts = variant.fields.iter().map(personal_parts).collect::<Result<Vec<_>, _>>()?.concat();
        let text = event.to_string();
        let doc = format!("The type of [`Self::{event}`].");
        constants.push(quote! {
            #[doc = #doc]
            pub const #constant: ::ytcaption_domain::event::EventType = ::ytcaption_domain::event::EventType {
                aggregate: #aggregate, name: #text, version: #version, personal: &[#(#parts),*],
            };
        });
        of_variant.push(quote! { Self::#event { .. } => Self::#constant });
        listed.push(quote! { Self::#constant });
    }
    let upcasters = family.upcasters.map_or_else(|| quote! { &[] }, |path| quote! { #path });
    let data_key = family.data_key.map(|field| {
        let owners = declaration.variants.iter().map(|variant| {
            let event = &variant.ident;
            quote! { Self::#event { #field, .. } => #field.0 }
        });
        quote! {
            fn data_key_id(&self, _aggregate_id: ::ytcaption_domain::Uuid) -> ::ytcaption_domain::Uuid {
                match self { #(#owners),* }
            }
        }
    });
    Ok(quote! {
        impl #name {
            #(#constants)*

            /// Its type: what is known of it beside its content.
            pub const fn event(&self) -> ::ytcaption_domain::event::EventType {
                match self { #(#of_variant),* }
            }
        }

        impl ::ytcaption_domain::event::EventFamily for #name {
            const TYPES: &'static [::ytcaption_domain::event::EventType] = &[#(#listed),*];
            const UPCASTERS: &'static [::ytcaption_domain::upcast::Upcaster] = #upcasters;
            #data_key
        }

        impl ::ytcaption_domain::event::DomainEvent for #name {
            fn event_type(&self) -> String {
                self.event().name.to_owned()
            }

            fn event_version(&self) -> String {
                self.event().version.to_string()
            }
        }
    })
}

impl Family {
    fn from_attributes(input: &DeriveInput) -> Result<Self, Error> {
        let (mut aggregate, mut upcasters, mut data_key) = (None, None, None);
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("event_family")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("aggregate") {
                    aggregate = Some(meta.value()?.parse::<LitStr>()?);
                } else if meta.path.is_ident("upcasters") {
                    upcasters = Some(meta.value()?.parse::<Path>()?);
                } else if meta.path.is_ident("data_key") {
                    data_key = Some(meta.value()?.parse::<Ident>()?);
                } else {
                    return Err(meta.error("expected aggregate, upcasters or data_key"));
                }
                Ok(())
            })?;
        }
        let missing = || Error::new_spanned(input, "#[event_family(aggregate = \"…\")] is missing");
        Ok(Self { aggregate: aggregate.ok_or_else(missing)?, upcasters, data_key })
    }
}

/// The version of `#[event(version = N)]`; 1 without it.
fn version(attributes: &[Attribute]) -> Result<u32, Error> {
    let mut version = 1;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("event")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("version") {
                return Err(meta.error("expected version"));
            }
            version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
            Ok(())
        })?;
    }
    Ok(version)
}

/// The personal parts of one field, as expressions of type `PersonalPart`.
fn personal_parts(field: &Field) -> Result<Vec<TokenStream>, Error> {
    let Some(attribute) = field.attrs.iter().find(|attribute| attribute.path().is_ident("personal")) else {
        return Ok(vec![]);
    };
    let name = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "a personal field needs a name"))?;
    let name = name.to_string();
    match &attribute.meta {
        Meta::Path(_) => {
            let kind = if is_list(&field.ty) {
                quote! { List }
            } else {
                quote! { Text }
            };
            Ok(vec![part(&[name], &kind)])
        }
        Meta::List(list) => {
            let members = list.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated)?;
            Ok(members.iter().map(|member| part(&[name.clone(), member.to_string()], &quote! { Text })).collect())
        }
        Meta::NameValue(value) => Err(Error::new_spanned(value, "expected #[personal] or #[personal(member, …)]")),
    }
}

fn part(path: &[String], kind: &TokenStream) -> TokenStream {
    let path = path.iter().map(|name| Expr::Lit(ExprLit { attrs: vec![], lit: Lit::Str(literal(name)) }));
    quote! {
        ::ytcaption_domain::personal::PersonalPart { path: &[#(#path),*], kind: ::ytcaption_domain::personal::PersonalKind::#kind }
    }
}

fn literal(text: &str) -> LitStr {
    LitStr::new(text, proc_macro2::Span::call_site())
}

/// Whether a type is written as `Vec<…>`.
fn is_list(kind: &Type) -> bool {
    matches!(kind, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Vec"))
}

fn screaming_snake_case(name: &str) -> String {
    let mut constant = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.extend(letter.to_uppercase());
    }
    constant
}
