//! What texts for people may be.

use super::ServiceError;

const LONGEST_NAME: usize = 200;
const LONGEST_DESCRIPTION: usize = 2000;

pub(super) fn check_name(name: &str) -> Result<(), ServiceError> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > LONGEST_NAME || name.contains(char::is_control) {
        let why = format!("must have 1 to {LONGEST_NAME} characters on one line");
        return Err(ServiceError::invalid("name", why));
    }
    Ok(())
}

pub(super) fn check_description(description: &str) -> Result<(), ServiceError> {
    if description.chars().count() > LONGEST_DESCRIPTION {
        let why = format!("must have {LONGEST_DESCRIPTION} characters or less");
        return Err(ServiceError::invalid("description", why));
    }
    Ok(())
}

pub(super) fn check_label(label: &str) -> Result<(), ServiceError> {
    if label.chars().count() > LONGEST_NAME || label.contains(char::is_control) {
        let why = format!("must have {LONGEST_NAME} characters or less on one line");
        return Err(ServiceError::invalid("label", why));
    }
    Ok(())
}

/// What another system knows something by.
pub(super) fn check_reference(field: &'static str, reference: Option<&str>) -> Result<(), ServiceError> {
    if reference.is_some_and(|text| text.chars().count() > LONGEST_NAME) {
        return Err(ServiceError::invalid(field, format!("must have {LONGEST_NAME} characters or less")));
    }
    Ok(())
}
